import AgentProtocol
import TestSupport
import Testing

@Suite("What comes from the guest's agent")
struct AgentDecoderTests {
  /// As those of machines: the first byte is one that frames seldom end with.
  private static let key: [UInt8] = [0xFF] + (1..<16).map { UInt8($0) }
  private static let frames = [
    AgentFrame(stream: 0, kind: AgentFrame.Answer.hello.rawValue, payload: [1, 0, 0, 0, 0, 0, 0, 0]),
    AgentFrame(stream: 7, kind: AgentFrame.Answer.output.rawValue, payload: Array("words\n".utf8)),
    AgentFrame(stream: 7, kind: AgentFrame.Answer.exited.rawValue, payload: [3, 0, 0, 0]),
  ]
  private static var said: [UInt8] { frames.flatMap(\.bytes) }
  private static var events: [AgentDecoder.Event] { [.began] + frames.map { .frame($0) } }

  @Test("is the same frames, wherever it is split in three")
  func split() {
    let bytes = Array("noise".utf8) + Self.key + Self.said

    for first in 0...bytes.count {
      for second in first...bytes.count {
        var decoder = AgentDecoder(key: Self.key)
        var events = decoder.take(bytes[..<first])
        events += decoder.take(bytes[first..<second])
        events += decoder.take(bytes[second...])
        guard events == Self.events else {
          Issue.record("split at \(first) and \(second) it is \(events)")
          return
        }
      }
    }
  }

  @Test("is passed over up to the key, also where the key begins several times")
  func noise() {
    var decoder = AgentDecoder(key: Self.key)
    let noise = [[UInt8](repeating: 0xFF, count: 40), Self.key.dropLast(), Self.said, [0xFF, 1, 2]].flatMap(\.self)

    let before = decoder.take(noise)
    let behind = decoder.take(Self.key + Self.said)

    #expect(before.isEmpty)
    #expect(behind == Self.events)
  }

  @Test("begins anew at a key in the middle of a frame, wherever that was left")
  func keyInFrame() {
    let begun = Self.frames[1].bytes
    for count in 0..<begun.count {
      var decoder = AgentDecoder(key: Self.key)

      let events = decoder.take([Self.key, Array(begun[..<count]), Self.key, Self.said].flatMap(\.self))

      guard events == [.began] + Self.events else {
        Issue.record("behind \(count) bytes of a frame it is \(events)")
        return
      }
    }
  }

  @Test("holds a frame back whose last byte might begin a key, until more comes")
  func heldBack() {
    var decoder = AgentDecoder(key: Self.key)
    let frame = AgentFrame(stream: 1, kind: AgentFrame.Answer.output.rawValue, payload: [0xFF])

    let first = decoder.take(Self.key + frame.bytes)
    let second = decoder.take(frame.bytes)

    #expect(first == [.began])
    #expect(second == [.frame(frame)])
  }

  @Test("is nonsense where a frame is larger than any, and nothing more until an agent begins")
  func sizes() {
    for size in [AgentFrame.payloadLimit + 1, 1 << 24, Int(UInt32.max)] {
      var decoder = AgentDecoder(key: Self.key)
      let header = AgentFrame.bytes(of: UInt32(size)) + [0, 0, 0, 0, 66, 0, 0, 0]

      let events = decoder.take(Self.key + Self.frames[1].bytes + header + Self.said)
      let later = decoder.take(Self.said)
      let again = decoder.take(Self.key + Self.said)

      #expect(events == [.began, .frame(Self.frames[1]), .nonsense])
      #expect(later.isEmpty)
      #expect(again == Self.events)
    }
  }

  @Test("is a frame up to the largest size")
  func largest() {
    var decoder = AgentDecoder(key: Self.key)
    let payload = [UInt8](repeating: 5, count: AgentFrame.payloadLimit)
    let frame = AgentFrame(stream: 1, kind: AgentFrame.Answer.output.rawValue, payload: payload)

    let events = decoder.take(Self.key + frame.bytes + Self.frames[2].bytes)

    let isWhole = events == [.began, .frame(frame), .frame(Self.frames[2])]
    #expect(isWhole)
  }

  @Test("is read, whatever it is", arguments: 0..<64)
  func anything(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var decoder = AgentDecoder(key: Self.key)

    for _ in 0..<200 {
      let piece = (0..<Int(random.next() % 40)).map { _ in UInt8(truncatingIfNeeded: random.next() & 3) }
      _ = decoder.take(random.next() % 8 == 0 ? Self.key : piece)
    }
    // Half a frame may be waited for; the key ends it.
    let events = decoder.take(Self.key + Self.said)

    #expect(Array(events.suffix(Self.events.count)) == Self.events)
  }
}
