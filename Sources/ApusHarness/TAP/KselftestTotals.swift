/// What kselftest counts at the end of a document: `# Totals: pass:3 fail:0 xfail:0 xpass:0 skip:0 error:0`.
///
/// Some of the kernel's tests plan, count, and print no results of their own (kcmp, of Linux 6.12, says `PASS: 0
/// returned as expected`). Where the totals are as many as the plan has, they tell what became of those.
struct KselftestTotals {
  /// How many there are of each, in the order of ``outcomes``.
  private var counts: [Int] = []

  /// Six kinds; a test that passed though it was to fail has passed.
  private static let outcomes: [TestOutcome] = [.passed, .failed, .expectedFailure, .passed, .skipped, .error]
  private static let words: [StaticString] = ["pass:", "fail:", "xfail:", "xpass:", "skip:", "error:"]
  /// So many results are made of totals at most: a test that prints nothing has few.
  private static let limit = 1024

  /// Reads `Totals: …`.
  ///
  /// - Returns: nil where the line is of another form, as KUnit's totals are.
  init?(_ line: Span<UInt8>, at start: Int, before end: Int) {
    let title: StaticString = "Totals:"
    guard TAPLine.begins(line, at: start, before: end, with: title) else { return nil }
    var index = start + title.utf8CodeUnitCount
    for word in Self.words {
      while index < end, line[index] == 0x20 { index += 1 }
      guard TAPLine.begins(line, at: index, before: end, with: word),
        let number = TAPLine.number(line, at: index + word.utf8CodeUnitCount, before: end)
      else { return nil }
      counts.append(number.value)
      index = number.end
    }
    guard index == end else { return nil }
  }

  /// What became of the tests that these results lack; none where the totals are not those of the plan, or contradict
  /// the results.
  func outcomes(beyond results: [TestResult], plan: Int) -> [TestOutcome] {
    guard counts.reduce(0, +) == plan, plan - results.count <= Self.limit else { return [] }
    var all: [TestOutcome: Int] = [:]
    for (outcome, count) in zip(Self.outcomes, counts) { all[outcome, default: 0] += count }
    for result in results { all[result.outcome, default: 0] -= 1 }
    guard all.values.allSatisfy({ $0 >= 0 }) else { return [] }
    return TestOutcome.allCases.flatMap { Array(repeating: $0, count: all[$0] ?? 0) }
  }
}
