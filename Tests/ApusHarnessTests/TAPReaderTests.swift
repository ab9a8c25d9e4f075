import ApusHarness
import Testing

/// Reads a text at once.
func read(_ text: String, limits: TAPLimits = TAPLimits(), beginsAtPlan: Bool = false) -> TAPOutput {
  var reader = TAPReader(limits: limits, beginsAtPlan: beginsAtPlan)
  reader.read(Array(text.utf8))
  return reader.finish()
}

/// A tree in one line: `a:passed b:failed(c:failed)`.
func tree(_ results: [TestResult]) -> String {
  results.map { result in
    "\(result.name):\(result.outcome.rawValue)" + (result.subtests.isEmpty ? "" : "(\(tree(result.subtests)))")
  }.joined(separator: " ")
}

@Suite struct TAPReaderTests {
  @Test func aResultHasNameNumberDirectiveAndText() {
    let output = read(
      """
      KTAP version 1
      1..9
      ok 1 plain
      ok 2 - with a hyphen
      not ok 3 fails
      ok 4 skips # SKIP no hardware
      not ok 5 skips, too # skip
      not ok 6 planned # TODO later
      ok 7 expected # XFAIL known
      not ok 8 slow # TIMEOUT 45 seconds
      not ok 9 odd # ERROR: broken

      """
    )

    #expect(
      tree(output.results)
        == "plain:passed with a hyphen:passed fails:failed skips:skipped skips, too:skipped planned:expected-failure "
        + "expected:expected-failure slow:timed-out odd:error"
    )
    #expect(output.results[3].text == "no hardware")
    #expect(output.results[7].text == "45 seconds")
    #expect(output.results[8].text == "broken")
    #expect(output.results.map(\.number) == [1, 2, 3, 4, 5, 6, 7, 8, 9])
    #expect(output.problems.isEmpty)
  }

  @Test func whatStandsBehindAHashWithoutADirectiveIsText() {
    let output = read("TAP version 13\n1..3\nok 1 a # exit=1\nok 2 b #5\nok 3 c # d # SKIP e\n")

    #expect(output.results.map(\.name) == ["a", "b #5", "c # d"])
    #expect(output.results.map(\.text) == ["exit=1", nil, "e"])
    #expect(output.results.map(\.outcome) == [.passed, .passed, .skipped])
  }

  @Test func aResultOfTAPNeedsNeitherNumberNorDescription() {
    let output = read("TAP version 14\nok\nnot ok\nok described\n1..3\n")

    #expect(tree(output.results) == "test 1:passed test 2:failed described:passed")
    #expect(output.problems.isEmpty)
  }

  @Test func aLineOfKTAPWithoutANumberMeansNothing() {
    let output = read("KTAP version 1\n1..1\nok then\nok\nokay\nok 1x y\nok 1 a\n")

    #expect(tree(output.results) == "a:passed")
  }

  @Test func subtestsOfKTAPStandTwoColumnsDeeper() {
    let output = read(
      """
      KTAP version 1
      1..2
        KTAP version 1
        1..2
          KTAP version 1
          1..1
          ok 1 a
        ok 1 b
        ok 2 c
      ok 1 d
      ok 2 e

      """
    )

    #expect(tree(output.results) == "d:passed(b:passed(a:passed) c:passed) e:passed")
    #expect(output.problems.isEmpty)
  }

  @Test func subtestsOfKUnitSayTheirNameBeforeTheyBegin() {
    var events: [TAPEvent] = []
    var reader = TAPReader()
    let text = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: suite\n    1..1\n    ok 1 case\nok 1 suite\n"

    reader.read(Array(text.utf8)) { events.append($0) }

    #expect(events == [.began(["suite"]), .ended(["suite", "case"], .passed), .ended(["suite"], .passed)])
    #expect(tree(reader.finish().results) == "suite:passed(case:passed)")
  }

  @Test func subtestsOfTAP14ComeWithAndWithoutAComment() {
    let output = read(
      """
      TAP version 14
      1..3
      # Subtest: named
          1..1
          ok 1 - a
      ok 1 - named
          ok 1 - b
          1..1
      ok 2 - bare
          1..1
          # Subtest: deep
              ok 1 - c
              1..1
          ok 1 - deep
      ok 3 - outer

      """
    )

    #expect(
      tree(output.results)
        == "named:passed(a:passed) bare:passed(b:passed) outer:passed(deep:passed(c:passed))"
    )
    #expect(output.problems.isEmpty)
  }

  @Test func subtestsOfKselftestStandInComments() {
    let output = read(
      """
      TAP version 13
      1..2
      # timeout set to 45
      # selftests: one: a
      # TAP version 13
      # 1..2
      # ok 1 x
      # # TAP version 13
      # # 1..1
      # # not ok 1 deep
      # not ok 2 y
      not ok 1 selftests: one: a # exit=1
      # selftests: two: b
      # ok 1 is only said
      ok 2 selftests: two: b

      """
    )

    #expect(
      tree(output.results)
        == "selftests: one: a:failed(x:passed y:failed(deep:failed)) selftests: two: b:passed"
    )
    #expect(TestTotals(output.results)[.failed] == 1)
  }

  @Test func aFailedSubtestFailsItsParentAndASkippedOneDoesNot() {
    let output = read(
      """
      KTAP version 1
      1..2
        KTAP version 1
        1..2
        ok 1 a # SKIP
        ok 2 b
      ok 1 c
        KTAP version 1
        1..1
        not ok 1 d
      ok 2 e

      """
    )

    #expect(tree(output.results) == "c:passed(a:skipped b:passed) e:failed(d:failed)")
    #expect(output.problems.map(\.kind) == [.failedSubtest])
  }

  @Test func aPlanOfNoneSkipsAll() {
    let whole = read("TAP version 13\n1..0 # SKIP no device\n")
    let inner = read("KTAP version 1\n1..1\n  KTAP version 1\n  1..0 # SKIP none\nok 1 a\n")

    #expect(tree(whole.results) == "all tests:skipped")
    #expect(whole.results[0].text == "no device")
    #expect(tree(inner.results) == "a:skipped")
  }

  @Test func whatIsPlannedAndNeverReportsIsMissing() {
    let output = read("KTAP version 1\n1..4\nok 1 a\nok 3 c\n")

    #expect(tree(output.results) == "a:passed c:passed test 2:missing test 4:missing")
    #expect(output.problems.map(\.kind) == [.number])
  }

  @Test func aPlanOfABillionTakesNoMemory() {
    let output = read("KTAP version 1\n1..1000000000\nok 1 a\n")

    #expect(output.results.count == 18)
    #expect(TestTotals(output.results)[.missing] == 999_999_999)
  }

  @Test func subtestsThatEndWithoutTheirParentMakeItMissing() {
    let output = read(
      "KTAP version 1\n1..2\n  KTAP version 1\n  # Subtest: suite\n  1..2\n  ok 1 a\nKernel panic - not syncing: x\nok 2 b\n"
    )

    #expect(tree(output.results) == "suite:missing(a:passed test 2:missing) test 2:missing")
    #expect(output.problems.map(\.kind) == [.panic, .unfinished, .outside])
  }

  @Test func theSameNumberTwiceHidesNoMissingOne() {
    let output = read("TAP version 13\n1..2\nok 1 a\nok 1 a\n")

    #expect(TestTotals(output.results)[.missing] == 1)
  }

  @Test(arguments: ["1..1\nok 1 a\nok 2 b\n", "ok 1 a\nok 2 b\n1..1\n", "1..2\nok 1 a\nok 2 b\n1..3\n"])
  func aPlanThatIsNotKeptFails(document: String) {
    #expect(read("TAP version 13\n" + document).hasFailingProblem)
  }

  @Test func aBailOutEndsTheDocument() {
    let output = read("TAP version 13\n1..3\nok 1 a\nBail out! no memory\nok 2 b\n")

    #expect(tree(output.results) == "a:passed test 2:missing test 3:missing")
    #expect(output.problems.first?.message == "Bail out! no memory")
    #expect(output.hasFailingProblem)
  }

  @Test func documentsFollowOneAnother() {
    let output = read("TAP version 13\n1..1\nok 1 a\nKTAP version 1\n1..1\nok 1 b\n")

    #expect(tree(output.results) == "a:passed b:passed")
    #expect(output.documents == 2)
    #expect(output.problems.isEmpty)
  }

  @Test func linesWithoutAVersionLineBeforeDoNotCount() {
    let loose = read("1..1\nok 1 a\nnot ok 2 b\n")
    let port = read("1..2\nok 1 a\nnot ok 2 b\n", beginsAtPlan: true)

    #expect(loose.results.isEmpty)
    #expect(loose.problems.map(\.kind) == [.outside])
    #expect(tree(port.results) == "a:passed b:failed")
  }

  @Test func aVersionLineWithoutTestsIsTold() {
    #expect(read("TAP version 14\n1..0\n").problems.map(\.kind) == [.noTests])
  }

  @Test func aYAMLBlockBelongsToItsResult() {
    let output = read(
      "TAP version 14\n1..2\nnot ok 1 a\n  ---\n  message: x\n  ok 9 no result\n  ...\nok 2 b\n"
    )

    #expect(tree(output.results) == "a:failed b:passed")
    #expect(output.results[0].diagnostics == ["  message: x", "  ok 9 no result"])
  }

  @Test func aYAMLBlockWithoutAnEndHidesNoResult() {
    #expect(tree(read("TAP version 14\n1..2\nok 1 a\n  ---\n  x\nnot ok 2 b\n").results) == "a:passed b:failed")
  }

  @Test func diagnosticsStandBeforeAResultOrBehindIt() {
    let before = read("KTAP version 1\n1..2\n# one\nok 1 a\n# two\nExpected three\nnot ok 2 b\n")
    let behind = read("TAP version 13\n1..2\nnot ok 1 a\n# Failed at line 3\nok 2 b\n")

    #expect(before.results.map(\.diagnostics) == [[], ["# two", "Expected three"]])
    #expect(behind.results.map(\.diagnostics) == [["# Failed at line 3"], []])
  }

  @Test func timesOfChunksGiveDurations() {
    var reader = TAPReader()

    reader.read(Array("KTAP version 1\n1..2\n".utf8), at: 1000)
    reader.read(Array("ok 1 a\n".utf8), at: 1500)
    reader.read(Array("ok 2 b\n".utf8), at: 1700)

    #expect(reader.finish().results.map(\.duration) == [500, 200])
  }
}
