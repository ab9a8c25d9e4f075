import TestSupport
import Testing

@testable import HostBackends

@Suite struct ByteRingTests {
  @Test func bytesComeOutInTheOrderInWhichTheyWentIn() {
    var ring = ByteRing(capacity: 4)
    for byte: UInt8 in [1, 2, 3] { _ = ring.append(byte) }

    #expect(ring.removeFirst() == 1)
    #expect(ring.removeFirst() == 2)
    #expect(ring.removeFirst() == 3)
    #expect(ring.removeFirst() == nil)
  }

  @Test func aFullRingRefusesAByteAndKeepsWhatItHas() {
    var ring = ByteRing(capacity: 2)
    _ = ring.append(1)
    _ = ring.append(2)

    let fits = ring.append(3)

    #expect(!fits)
    #expect(ring.space == 0)
    #expect(ring.removeFirst(limit: 8) == [1, 2])
    #expect(ring.space == 2)
  }

  @Test func aRunThatGoesOverTheEndComesOutWhole() {
    var ring = ByteRing(capacity: 4)
    for byte: UInt8 in [1, 2, 3] { _ = ring.append(byte) }
    _ = ring.removeFirst(limit: 2)
    for byte: UInt8 in [4, 5, 6] { _ = ring.append(byte) }

    #expect(ring.removeFirst(limit: 3) == [3, 4, 5])
    #expect(ring.count == 1)
    #expect(ring.removeFirst() == 6)
  }

  @Test func aRingActsLikeAQueueOfFixedSize() {
    var random = SplitMix64(seed: 4)
    var ring = ByteRing(capacity: 16)
    var model: [UInt8] = []
    for _ in 0..<20_000 {
      let byte = UInt8.random(in: 0...255, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0...2:
        let fits = ring.append(byte)
        #expect(fits == (model.count < 16))
        if fits { model.append(byte) }
      case 3:
        #expect(ring.removeFirst() == (model.isEmpty ? nil : model.removeFirst()))
      default:
        let limit = Int(byte % 20)
        #expect(ring.removeFirst(limit: limit) == Array(model.prefix(limit)))
        model.removeFirst(min(limit, model.count))
      }
      #expect(ring.count == model.count)
    }
  }
}

@Suite struct EscapeSequenceTests {
  /// What becomes of the keys.
  private func actions(_ keys: [UInt8]) -> [EscapeSequence.Action] {
    var sequence = EscapeSequence()
    return keys.map { sequence.take($0) }
  }

  @Test func ordinaryKeysPass() {
    #expect(actions([0x61, 0x03, 0x1B, 0xFF]) == [.pass(0x61), .pass(0x03), .pass(0x1B), .pass(0xFF)])
  }

  @Test(arguments: [UInt8(ascii: "x"), UInt8(ascii: "X")])
  func controlAAndXEndTheMachine(key: UInt8) {
    #expect(actions([1, key]) == [.wait, .quit])
  }

  @Test(arguments: [UInt8(ascii: "h"), UInt8(ascii: "H"), UInt8(ascii: "?")])
  func controlAAndHShowTheKeys(key: UInt8) {
    #expect(actions([1, key]) == [.wait, .help])
  }

  @Test func controlATwiceSendsOne() {
    #expect(actions([1, 1, 0x78]) == [.wait, .pass(1), .pass(0x78)])
  }

  @Test func anotherKeyBehindControlAPassesAndEndsTheSequence() {
    #expect(actions([1, 0x61, 0x78]) == [.wait, .pass(0x61), .pass(0x78)])
  }
}
