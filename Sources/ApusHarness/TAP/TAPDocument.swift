/// A row of tests that stand at the same position: a document's own, or the subtests of a test.
struct TestRow {
  /// Where its lines stand.
  let position: TAPPosition
  /// What it said that it is, before its result.
  var name: String?
  /// What it said that the row inside it is.
  var nextName: String?
  /// Whether it takes results without numbers, and writes diagnostics behind a result.
  var isKTAP: Bool
  var plan: Int?
  /// What kselftest has counted.
  var totals: KselftestTotals?
  /// Why all of it was skipped: `1..0 # SKIP why`.
  var skip: String?
  var results: [TestResult] = []
  /// The number that the next result should have.
  var next = 1
  /// Whether numbers were out of order.
  var isDisordered = false
  /// Results that were not kept.
  var lost = 0
  /// Whether diagnostics stand behind a result and not before it; not known before the first one.
  var writesBehind: Bool?
  /// When it began, and when its last result came, in nanoseconds.
  var began: UInt64?
  var last: UInt64?

  init(_ position: TAPPosition, isKTAP: Bool, name: String?, time: UInt64?) {
    self.position = position
    self.isKTAP = isKTAP
    self.name = name
    began = time
    last = time
  }

  /// Whether it has nothing yet but a version line.
  var isFresh: Bool { results.isEmpty && plan == nil && name == nil && nextName == nil }
}

/// A document of one of a console's two writers, from its version line on; closed, before one.
struct TAPDocument {
  var rows: [TestRow] = []
  var prefix = LinePrefix()
  /// The column of a YAML block that has no end yet.
  var block: Int?

  var isOpen: Bool { !rows.isEmpty }

  /// Whether all tests that it planned have reported.
  var isWhole: Bool {
    guard rows.count == 1, let plan = rows[0].plan else { return false }
    return rows[0].results.count + rows[0].lost >= plan
  }

  mutating func open(_ prefix: LinePrefix, isKTAP: Bool, _ log: inout ResultLog) {
    close(&log)
    self.prefix = prefix
    log.documentCount += 1
    log.forgetRecent()
    rows = [TestRow(TAPPosition(), isKTAP: isKTAP, name: nil, time: log.time)]
  }

  /// Where a version line's words stand, or nil if there are others before them.
  func place(_ line: Span<UInt8>, from start: Int, before end: Int) -> TAPPosition? {
    let found = TAPLine(line, at: prefix.end(line, at: start, before: end), before: end)
    return found.start == end ? found.position : nil
  }

  /// A version line: of a new document, or of subtests.
  mutating func readVersion(at position: TAPPosition, _ isKTAP: Bool, _ log: inout ResultLog) {
    block = nil
    if position == TAPPosition() {
      if rows.count == 1, rows[0].isFresh {
        rows[0].isKTAP = isKTAP
      } else {
        open(prefix, isKTAP: isKTAP, &log)
      }
      return
    }
    while !rows[rows.count - 1].position.isOutside(position) {
      if rows[rows.count - 1].position == position, rows[rows.count - 1].isFresh {
        rows[rows.count - 1].isKTAP = isKTAP
        return
      }
      closeUnfinished(&log)
    }
    begin(position, isKTAP: isKTAP, name: nil, &log)
  }

  /// Begins a row in the last one.
  mutating func begin(_ position: TAPPosition, isKTAP: Bool, name: String?, _ log: inout ResultLog) {
    guard rows.count <= log.limits.depth else {
      log.note(.limit, "tests are nested more than \(log.limits.depth) deep", isFailure: true)
      return
    }
    let top = rows.count - 1
    let name = name ?? rows[top].nextName
    rows[top].nextName = nil
    rows.append(TestRow(position, isKTAP: isKTAP, name: name, time: log.time))
    if name != nil { tellBegin(log) }
  }

  func tellBegin(_ log: ResultLog) {
    log.progress?(.began(path))
  }

  /// The names of the tests that are open.
  var path: [String] { rows.dropFirst().map { $0.name ?? "" } }

  /// Ends the document: what has not reported is missing.
  mutating func close(_ log: inout ResultLog) {
    guard isOpen else { return }
    block = nil
    while rows.count > 1 { closeUnfinished(&log) }
    var row = rows.removeLast()
    Self.finish(&row, &log)
    if let skip = row.skip, row.results.isEmpty {
      row.results.append(TestResult(name: "all tests", outcome: .skipped, text: skip))
    } else if row.results.isEmpty, row.lost == 0 {
      log.note(.noTests, "a document has no tests")
    }
    log.results += row.results
  }

  /// Ends the innermost row, whose test has not reported.
  mutating func closeUnfinished(_ log: inout ResultLog) {
    var row = rows.removeLast()
    let top = rows.count - 1
    let name = row.name ?? rows[top].nextName ?? "test \(rows[top].next)"
    log.note(.unfinished, "'\(name)' has begun and never reported", isFailure: true)
    Self.finish(&row, &log)
    guard log.takesResult() else {
      rows[top].lost += 1
      return
    }
    let number = rows[top].next
    rows[top].next += 1
    rows[top].results.append(
      TestResult(
        name: name,
        number: number,
        outcome: .missing,
        diagnostics: log.takeRecent(),
        duration: Self.difference(log.time, row.began),
        subtests: row.results
      )
    )
    log.progress?(.ended(path + [name], .missing))
  }

  static func difference(_ later: UInt64?, _ earlier: UInt64?) -> UInt64? {
    guard let later, let earlier else { return nil }
    return later >= earlier ? later - earlier : 0
  }

  /// Adds what a row planned and did not report.
  ///
  /// Of the type, as the next one: a method would keep a reference to the rows while one changes.
  static func finish(_ row: inout TestRow, _ log: inout ResultLog) {
    attachBehind(&row, &log)
    guard let plan = row.plan, row.lost == 0 else { return }
    if let totals = row.totals, !row.isDisordered, row.results.count < plan {
      for outcome in totals.outcomes(beyond: row.results, plan: plan) where log.takesResult() {
        let number = row.results.count + 1
        let text = "counted, without a result of its own"
        row.results.append(TestResult(name: "test \(number)", number: number, outcome: outcome, text: text))
      }
    }
    var missing: [Int] = []
    var count: Int
    if row.isDisordered {
      let reported = Set(row.results.compactMap(\.number).filter { $0 >= 1 && $0 <= plan })
      count = plan - reported.count
      var number = 1
      while missing.count < min(count, Self.namedMissing) {
        if !reported.contains(number) { missing.append(number) }
        number += 1
      }
    } else {
      count = max(0, plan - row.results.count)
      missing = (row.results.count..<row.results.count + min(count, Self.namedMissing)).map { $0 + 1 }
    }
    for number in missing where log.takesResult() {
      row.results.append(TestResult(name: "test \(number)", number: number, outcome: .missing, text: "never reported"))
    }
    count -= missing.count
    if count > 0, log.takesResult() {
      row.results.append(
        TestResult(name: "\(count) more tests", outcome: .missing, text: "never reported", count: count)
      )
    }
  }

  /// So many tests that never reported are results of their own; one more stands for all others.
  private static let namedMissing = 16

  /// Gives the lines behind a failed result to it.
  static func attachBehind(_ row: inout TestRow, _ log: inout ResultLog) {
    let last = row.results.count - 1
    guard row.writesBehind == true, last >= 0, log.hasRecent, row.results[last].outcome.isFailure,
      row.results[last].diagnostics.isEmpty
    else { return }
    row.results[last].diagnostics = log.takeRecent()
  }
}
