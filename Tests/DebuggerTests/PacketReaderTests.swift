import Debugger
import DebuggerTesting
import TestSupport
import Testing

@Suite struct PacketReaderTests {
  private func events(_ bytes: some Sequence<UInt8>) -> [PacketReader.Event] {
    var reader = PacketReader()
    return bytes.compactMap { reader.next($0) }
  }

  @Test func aPacketsTextComesWithoutItsEscapes() {
    let events = events("$a}\u{3}b#".utf8 + Array("43".utf8))

    #expect(events == [.packet([0x61, 0x23, 0x62])])
  }

  @Test func anyBytesThatAreWrittenAreReadAgain() {
    let bytes = (0...255).map { UInt8($0) } + [0x7D, 0x7D, 0x23, 0x24, 0x2A, 0x03]

    let events = events(PacketWriter.packet(bytes))

    #expect(events == [.packet(bytes)])
  }

  @Test func whatStandsBetweenPacketsIsPassedOverButForThreeBytes() {
    let events = events("xy+z-".utf8 + [0x03] + FakeDebugger.packet("?"))

    #expect(events == [.acknowledged, .refused, .interrupt, .packet([0x3F])])
  }

  @Test func aWrongChecksumIsToldAndTheNextPacketIsRead() {
    let events = events("$?#00$?#3f$?#zz$g#".utf8 + Array("67".utf8))

    #expect(events == [.damaged, .packet([0x3F]), .damaged, .packet([0x67])])
  }

  @Test func aPacketThatBeginsInAnotherTakesItsPlace() {
    let events = events("$m12".utf8 + FakeDebugger.packet("?"))

    #expect(events == [.packet([0x3F])])
  }

  @Test func aPacketOfTheLimitIsReadAndALongerOneIsNot() {
    let limit = [UInt8](repeating: 0x61, count: PacketReader.limit)

    let atLimit = events(PacketWriter.packet(limit))
    let beyond = events(PacketWriter.packet(limit + [0x61]) + FakeDebugger.packet("?"))

    #expect(atLimit == [.packet(limit)])
    #expect(beyond == [.unusable, .packet([0x3F])])
  }

  @Test func anEscapeAtTheEndMakesAPacketUnusable() {
    let events = events("$a}#de".utf8)

    #expect(events == [.unusable])
  }

  @Test func anInterruptWithinAPacketIsItsText() {
    let events = events(PacketWriter.packet([0x03]))

    #expect(events == [.packet([0x03])])
  }

  @Test func noBytesAtAllEndASessionInATrap() {
    var random = SplitMix64(seed: 11)
    let alphabet = Array("$#+-}:;,=0123456789abcdefgGpPmMxXzZvContqHTskD?".utf8)
    var answers = 0

    for _ in 0..<500 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        let text = (0..<Int.random(in: 0...20, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
        bytes += Bool.random(using: &random) ? PacketWriter.packet(text) : text
      }
      answers += ExerciseDebugger.run(bytes)
    }

    #expect(answers > 500)
  }
}
