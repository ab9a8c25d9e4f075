import ApusHarness
import Testing

/// Results on consoles that carry other things, too.
@Suite struct ConsoleTests {
  @Test func timeStampsOfAnyWidthAreNoPartOfALine() {
    let output = read(
      """
      [    0.060000] printk: console enabled
      [    9.999999] KTAP version 1
      [   10.000000] 1..2
      [99999.060000]     KTAP version 1
      [100000.060000]     # Subtest: suite
      [   10.000001]     1..1
      [   10.000001]     ok 1 case
      [   10.000001] ok 1 suite
      <6>[   10.000001][    T1] ok 2 other

      """
    )

    #expect(tree(output.results) == "suite:passed(case:passed) other:passed")
    #expect(output.problems.isEmpty)
  }

  @Test func anyOtherPrefixOfTheVersionLineMayBeThereOrNot() {
    let output = read(
      "Nov 30 09:05:33 host kernel: KTAP version 1\nNov 30 09:05:34 host kernel: 1..3\n"
        + "Nov 30 10:05:34 host kernel: ok 1 a\nok 2 b\nNov 31 1:05:34 host kernel: ok 3 c\n"
    )

    #expect(tree(output.results) == "a:passed b:passed c:passed")
  }

  @Test func aSpaceBeforeEachLineIsAPrefix() {
    let output = read(" TAP version 14\n 1..1\n \t# Subtest: s\n \t1..1\n \tok 1 - c\n  foo bar \t#\n ok 1 - s\n")

    #expect(tree(output.results) == "s:passed(c:passed)")
  }

  @Test func theKernelsDocumentAndAProgramsAreKeptApart() {
    let output = read(
      """
      TAP version 13
      1..2
      ok 1 a
      [    1.000000] KTAP version 1
      [    1.000000] 1..2
      [    1.000000] ok 1 k
      ok 2 b
      [    1.000000] not ok 2 l

      """
    )

    #expect(tree(output.results) == "k:passed l:failed a:passed b:passed")
    #expect(output.problems.isEmpty)
  }

  @Test func linesOfAnotherWriterDoNotCountWhereAllHaveReported() {
    let output = read("[    1.000000] KTAP version 1\n[    1.000000] 1..1\n[    1.000000] ok 1 a\nok 2 b\nnot ok 3 c\n")

    #expect(tree(output.results) == "a:passed")
    #expect(output.problems.map(\.kind) == [.outside])
  }

  @Test func aMessageOfTheKernelsMayBeginInTheMiddleOfALine() {
    let output = read(
      "TAP version 13\n1..3\nok 1 fir[   12.345678] random: crng init done\nst\nok 2 a\nnot o[   12.345679] x\nk 3 b\n"
    )

    #expect(tree(output.results) == "fir:passed a:passed test 3:missing")
    #expect(output.problems.map(\.kind) == [.interrupted])
  }

  @Test func aKernelsResultBehindHalfALineCounts() {
    let output = read(
      "half[    1.000000] KTAP version 1\n[    1.000000] 1..2\nhalf a li[    1.000001] ok 1 a\nne[    1.2] ok 2 b\n"
    )

    #expect(tree(output.results) == "a:passed test 2:missing")
  }

  @Test func terminalCommandsAndCarriageReturnsMeanNothing() {
    let output = read("\u{1B}[0mKTAP version 1\r\n1..1\r\r\n\u{1B}[32mok\u{1B}[0m 1 \u{1B}]0;title\u{7}a\u{0}\r\n")

    #expect(tree(output.results) == "a:passed")
  }

  @Test func bytesThatAreNoUTF8AreReplaced() {
    var reader = TAPReader()

    reader.read(Array("KTAP version 1\n1..1\nok 1 a".utf8) + [0xFF, 0x0A])

    #expect(reader.finish().results.map(\.name) == ["a\u{FFFD}"])
  }

  @Test func aLineWithoutAnEndTakesBoundedMemory() {
    var reader = TAPReader()
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)

    reader.read(Array("KTAP version 1\n1..1\n".utf8))
    for _ in 0..<64 { reader.read(piece) }
    reader.read(Array("\nok 1 a\n".utf8))
    let output = reader.finish()

    #expect(tree(output.results) == "a:passed")
    #expect(output.problems.map(\.kind) == [.limit])
  }

  @Test func tooManyResultsAndTooDeepOnesFail() {
    var limits = TAPLimits()
    limits.results = 3
    limits.depth = 2

    let many = read("KTAP version 1\n1..5\nok 1 a\nok 2 b\nok 3 c\nok 4 d\nok 5 e\n", limits: limits)
    let deep = read(
      "KTAP version 1\n  KTAP version 1\n    KTAP version 1\n      KTAP version 1\n      not ok 1 a\n    ok 1 b\n"
        + "  ok 1 c\nok 1 d\n",
      limits: limits
    )

    #expect(many.results.count == 3)
    #expect(many.hasFailingProblem)
    #expect(deep.hasFailingProblem)
  }

  @Test func plansThatNobodyCanCountFail() {
    let output = read(String(repeating: "KTAP version 1\n1..99999999999999999999\nok 1 a\n", count: 1000))

    #expect(TestTotals(output.results).failures == 1000 * ((1 << 32) - 1))
  }

  @Test func wordsInTheMiddleOfALineAreNoVersionLine() {
    let output = read("KTAP version 1\n1..2\nok 1 a\n# this one prints KTAP version 1\nok 2 b\n")

    #expect(tree(output.results) == "a:passed b:passed")
    #expect(output.documents == 1)
  }

  @Test func aNotOKAfterAPanicIsNotTakenForAResultAndNeitherIsAnOK() {
    let output = read(
      "[    1.000000] KTAP version 1\n[    1.000000] 1..2\n[    1.000000] ok 1 a\n"
        + "[    1.000000] Kernel panic - not syncing: Oops\n[    1.000000] not ok 2 b\n"
    )

    #expect(tree(output.results) == "a:passed test 2:missing")
  }

  @Test func thePiecesInWhichBytesComeMakeNoDifference() {
    let text = Array(
      """
      half\u{1B}[1m a li[    0.500000] KTAP version 1
      [    1.000000] 1..2
      [    1.000000]     KTAP version 1
      [    1.000000]     # Subtest: s
      TAP version 14
      not ok 1 - x # TODO y
        ---
        a: b
        ...
      [    1.000000]     1..1\r
      [    1.000000]     not ok 1 c
      [    1.000000] not ok 1 s
      Bail out! z

      """.utf8
    )
    var whole = TAPReader()
    whole.read(text)
    let expected = whole.finish()

    for size in 1...40 {
      var reader = TAPReader()
      for start in stride(from: 0, to: text.count, by: size) {
        reader.read(Array(text[start..<min(start + size, text.count)]))
      }
      let output = reader.finish()
      #expect(output.results == expected.results)
      #expect(output.problems == expected.problems)
    }
  }

  @Test func anyBytesAreReadWithinTheLimits() {
    var random = SystemRandomNumberGenerator()
    let pieces = [
      "KTAP version 1", "TAP version 14", "1..3", "1..99999999999999999999", "ok 1 a", "not ok 2 b # SKIP", "\n",
      "\n  ",
      "\n    ", "\n# ", "\n# # ", "  ---", "  ...", "# Subtest: s", "Bail out!", "[    1.000000] ", "ok", "\u{1B}[",
      "\r",
      "Kernel panic - not syncing", "ok 281474976710657 x", "ok 99999999999999999999999 x",
    ]
    var limits = TAPLimits()
    limits.results = 50
    limits.lineLength = 200
    for _ in 0..<300 {
      var reader = TAPReader(limits: limits, beginsAtPlan: Bool.random(using: &random))
      for _ in 0..<60 {
        reader.read(Array(pieces.randomElement(using: &random)!.utf8))
        if UInt8.random(in: 0...9, using: &random) < 6 { reader.read([0x0A]) }
      }
      let output = reader.finish()
      #expect(TestTotals(output.results).all >= 0)
      #expect(output.problems.count <= 2 * limits.problems)
    }
  }
}
