import ApusHarness
import Testing

@Suite struct KselftestTests {
  @Test func testsThatAreOnlyCountedHaveTheOutcomesOfTheTotals() {
    let output = read(
      """
      TAP version 13
      1..3
      PASS: 0 returned as expected
      PASS: 0 returned as expected
      # Totals: pass:2 fail:0 xfail:0 xpass:0 skip:1 error:0

      """
    )

    #expect(tree(output.results) == "test 1:passed test 2:passed test 3:skipped")
    #expect(output.problems.isEmpty)
  }

  @Test func aCountedFailureFails() {
    let output = read(
      "TAP version 13\n1..2\nok 1 a\n# Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0\n"
    )

    #expect(tree(output.results) == "a:passed test 2:failed")
  }

  @Test func totalsBehindHashesAreThoseOfTheInnerTests() {
    let output = read(
      """
      TAP version 13
      1..1
      # TAP version 13
      # 1..1
      # # Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0
      ok 1 selftests: kcmp: kcmp_test

      """
    )

    #expect(tree(output.results) == "selftests: kcmp: kcmp_test:passed(test 1:passed)")
  }

  @Test(arguments: [
    "pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0",  // fewer than planned
    "pass:2 fail:0 xfail:0 xpass:0 skip:0 error:0",  // other than the result says
    "pass:1 fail:0 skip:0 total:2",  // KUnit's
    "pass:1 fail:1 xfail:0 xpass:0 skip:0",
    "pass:99999999999999999999 fail:0 xfail:0 xpass:0 skip:0 error:0",
  ])
  func totalsThatDoNotFitLeaveTestsMissing(_ totals: String) {
    let output = read("TAP version 13\n1..2\nnot ok 1 a\n# Totals: \(totals)\n")

    #expect(tree(output.results) == "a:failed test 2:missing")
  }

  @Test func totalsOfABoundlessPlanMakeNoResults() {
    let output = read(
      "TAP version 13\n1..1000000000\n# Totals: pass:1000000000 fail:0 xfail:0 xpass:0 skip:0 error:0\n"
    )

    #expect(output.results.count == 17)
    #expect(TestTotals(output.results)[.missing] == 1_000_000_000)
  }
}
