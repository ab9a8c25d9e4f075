import TestSupport
import Testing

@testable import Apus

@Suite struct PrefixedLinesTests {
  private static func text(_ lines: PrefixedLines) -> String { String(decoding: lines.output, as: UTF8.self) }

  @Test func completeLinesHaveTheirConsolesPrefixes() {
    var lines = PrefixedLines(names: ["a", "b"])

    lines.append("one\ntwo\n".utf8, from: 0)
    lines.append("three\r\n\n".utf8, from: 1)

    #expect(Self.text(lines) == "a| one\na| two\nb| three\r\nb| \n")
    #expect(!lines.hasPartial)
  }

  @Test func aLineThatComesInPiecesIsShownWhenItIsComplete() {
    var lines = PrefixedLines(names: ["a", "b"])

    lines.append("on".utf8, from: 0)
    lines.append("two\n".utf8, from: 1)
    #expect(lines.hasPartial)
    lines.append("e\n".utf8, from: 0)

    #expect(Self.text(lines) == "b| two\na| one\n")
  }

  @Test func aLineThatWasFlushedGoesOnWhereNobodyWroteMeanwhile() {
    var lines = PrefixedLines(names: ["a", "b"])

    lines.append("login: ".utf8, from: 0)
    lines.tick()
    lines.tick()
    lines.append("root\n".utf8, from: 0)

    #expect(Self.text(lines) == "a| login: root\n")
  }

  @Test func anotherConsoleBeginsALineOfItsOwnBehindOneThatWasFlushed() {
    var lines = PrefixedLines(names: ["a", "b"])

    lines.append("login: ".utf8, from: 0)
    lines.tick()
    lines.tick()
    lines.append("hello\n".utf8, from: 1)
    lines.append("root\n".utf8, from: 0)

    #expect(Self.text(lines) == "a| login: \nb| hello\na| root\n")
  }

  @Test func aLineThatGrowsIsNotShownBeforeItRests() {
    var lines = PrefixedLines(names: ["a", "b"])

    for _ in 0..<3 {
      lines.append(".".utf8, from: 0)
      lines.append("two\n".utf8, from: 1)
      lines.tick()
    }
    #expect(Self.text(lines) == "b| two\nb| two\nb| two\n")
    lines.tick()

    #expect(Self.text(lines).hasSuffix("\na| ..."))
  }

  @Test func theEndCompletesALine() {
    var lines = PrefixedLines(names: ["a"])

    lines.append("bye".utf8, from: 0)
    lines.end()
    lines.end()

    #expect(Self.text(lines) == "a| bye\n")
  }

  @Test func aLineWithoutEndIsShownInPieces() {
    var lines = PrefixedLines(names: ["a"])

    for _ in 0..<3 { lines.append([UInt8](repeating: 0x2E, count: PrefixedLines.partialLimit), from: 0) }

    #expect(lines.output.count == 3 + 3 * PrefixedLines.partialLimit)
    #expect(!lines.hasPartial)
  }

  @Test func whatWasTakenIsGone() {
    var lines = PrefixedLines(names: ["a"])

    lines.append("one\n".utf8, from: 0)
    lines.take(3)

    #expect(Self.text(lines) == "one\n")
  }

  @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
  func whateverThePiecesEachConsolesBytesComeOutInTheirOrder(seed: UInt64) {
    var dice = SplitMix64(seed: seed)
    var lines = PrefixedLines(names: ["a", "b", "c"])
    var written: [[UInt8]] = [[], [], []]
    for _ in 0..<2_000 {
      let console = Int.random(in: 0..<3, using: &dice)
      // Letters of its own for each console, and ends of lines.
      let letter = UInt8(ascii: "x") + UInt8(console)
      let bytes = (0..<Int.random(in: 0..<9, using: &dice)).map { _ in Bool.random(using: &dice) ? letter : 0x0A }
      lines.append(bytes, from: console)
      written[console] += bytes
      if Int.random(in: 0..<10, using: &dice) == 0 { lines.tick() }
    }
    lines.end()

    let output = Array(lines.output)
    #expect(output.last == 0x0A)
    for console in 0..<3 {
      let letter = UInt8(ascii: "x") + UInt8(console)
      #expect(output.count { $0 == letter } == written[console].count { $0 == letter })
    }
    for line in output.split(separator: 0x0A) {
      let letter = UInt8(ascii: "x") + line[line.startIndex] - UInt8(ascii: "a")
      #expect(line.dropFirst(3).allSatisfy { $0 == letter })
    }
  }
}
