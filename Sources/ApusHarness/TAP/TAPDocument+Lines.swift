/// A plan's parts: `1..3`, `1..0 # SKIP why`.
struct TAPPlan {
  var count: Int
  /// Why nothing is run, where it says so.
  var skip: Range<Int>?

  init?(_ line: Span<UInt8>, at start: Int, before end: Int) {
    guard TAPLine.begins(line, at: start, before: end, with: "1.."),
      let number = TAPLine.number(line, at: start + 3, before: end)
    else { return nil }
    count = number.value
    let rest = TAPLine.trimmed(line, number.end..<end)
    guard !rest.isEmpty else { return }
    guard line[rest.lowerBound] == UInt8(ascii: "#"), rest.lowerBound > number.end else { return nil }
    let word = TAPLine.trimmed(line, rest.lowerBound + 1..<rest.upperBound)
    guard TAPDirective(line, at: word.lowerBound, before: word.upperBound) == .skip else { return }
    var index = word.lowerBound
    while index < word.upperBound, line[index] != 0x20 { index += 1 }
    skip = TAPLine.trimmed(line, index..<word.upperBound)
  }
}

extension TAPDocument {
  /// Reads a line that is no version line.
  ///
  /// - Parameters:
  ///   - isOwn: whether it is of this document's writer; otherwise the other one has no document.
  ///   - isInterrupted: whether the line's end is missing, since a message of the kernel's begins there.
  mutating func readLine(
    _ line: Span<UInt8>,
    from start: Int,
    isOwn: Bool,
    isInterrupted: Bool,
    _ log: inout ResultLog
  ) {
    let end = line.count
    let start = prefix.end(line, at: start, before: end)
    let found = TAPLine(line, at: start, before: end)
    guard found.start < end else { return }
    if let column = block, isOwn {
      if found.position.column >= column || found.comment != nil {
        if TAPLine.begins(line, at: found.start, before: end, with: "..."), end == found.start + 3 {
          endBlock(&log)
        } else {
          log.remember(line, from: start)
        }
        return
      }
      endBlock(&log)
    }
    switch line[found.start] {
    case UInt8(ascii: "o"), UInt8(ascii: "n"):
      if readResult(line, found, isInterrupted, &log) { return }
    case UInt8(ascii: "1"):
      if let plan = TAPPlan(line, at: found.start, before: end), readPlan(plan, line, found.position, &log) { return }
    case UInt8(ascii: "S"):
      let words: StaticString = "Subtest: "
      if let comment = found.comment, TAPLine.begins(line, at: found.start, before: end, with: words) {
        let name = TAPLine.trimmed(line, found.start + words.utf8CodeUnitCount..<end)
        if readHeader(log.text(line, name), comment, &log) { return }
      }
    case UInt8(ascii: "T"):
      if let comment = found.comment, let place = rows.lastIndex(where: { $0.position == comment }),
        let totals = KselftestTotals(line, at: found.start, before: end)
      {
        rows[place].totals = totals
      }
    case UInt8(ascii: "B"):
      if TAPLine.begins(line, at: found.start, before: end, with: "Bail out!"),
        rows.contains(where: { $0.position == found.position })
      {
        let why = TAPLine.text(line, TAPLine.trimmed(line, found.start + 9..<end))
        log.note(.bailOut, why.isEmpty ? "Bail out!" : "Bail out! \(why)", isFailure: true)
        close(&log)
        return
      }
    case UInt8(ascii: "K"):
      if found.comment == nil, TAPLine.begins(line, at: found.start, before: end, with: "Kernel panic - not syncing") {
        log.note(.panic, TAPLine.text(line, found.start..<end))
        log.hasPanicked = true
      }
    case UInt8(ascii: "-"):
      if end == found.start + 3, isBlock(found), TAPLine.begins(line, at: found.start, before: end, with: "---") {
        log.forgetRecent()
        block = found.position.column
        return
      }
    default: break
    }
    log.remember(line, from: start)
  }

  /// Whether a YAML block may begin there: behind a result of TAP, two columns deeper.
  private func isBlock(_ found: TAPLine) -> Bool {
    let top = rows.count - 1
    guard !rows[top].isKTAP, !rows[top].results.isEmpty else { return false }
    let position = rows[top].position
    return found.position == TAPPosition(hashes: position.hashes, column: position.column + 2)
  }

  private mutating func endBlock(_ log: inout ResultLog) {
    block = nil
    let top = rows.count - 1
    if let last = rows[top].results.last, last.outcome.isFailure {
      rows[top].results[rows[top].results.count - 1].diagnostics += log.takeRecent()
    }
    log.forgetRecent()
  }

  /// `# Subtest: NAME`: the name of the row that begins there or has just begun, or of the next one inside.
  private mutating func readHeader(_ name: String, _ position: TAPPosition, _ log: inout ResultLog) -> Bool {
    let top = rows.count - 1
    if rows[top].position == position {
      let row = rows[top]
      if top > 0, row.name == nil, row.results.isEmpty, row.nextName == nil, row.isKTAP || row.plan == nil {
        rows[top].name = name
        tellBegin(log)
      } else {
        rows[top].nextName = name
      }
      return true
    }
    if rows[top].position.isOutside(position) {
      guard rows[top].position.hashes == position.hashes else { return false }
      begin(position, isKTAP: rows[top].isKTAP, name: name, &log)
      return true
    }
    guard rows.contains(where: { $0.position == position }) else { return false }
    while rows[rows.count - 1].position != position { closeUnfinished(&log) }
    rows[rows.count - 1].nextName = name
    return true
  }

  private mutating func readPlan(
    _ plan: TAPPlan,
    _ line: Span<UInt8>,
    _ position: TAPPosition,
    _ log: inout ResultLog
  ) -> Bool {
    var place = rows.lastIndex { $0.position == position }
    let top = rows.count - 1
    if place == nil, rows[top].position.isOutside(position) {
      begin(position, isKTAP: rows[top].isKTAP, name: nil, &log)
      place = rows.lastIndex { $0.position == position }
    }
    guard let place else { return false }
    if let former = rows[place].plan {
      if former != plan.count {
        log.note(.secondPlan, "a plan of \(plan.count) tests behind one of \(former)", isFailure: true)
      }
      return true
    }
    rows[place].plan = plan.count
    if rows[place].results.isEmpty { log.forgetRecent() }
    if let skip = plan.skip, plan.count == 0 { rows[place].skip = log.text(line, skip) }
    if rows[place].results.count + rows[place].lost > plan.count { noteBeyondPlan(place, &log) }
    return true
  }

  private func noteBeyondPlan(_ place: Int, _ log: inout ResultLog) {
    log.note(.beyondPlan, "more results than the \(rows[place].plan ?? 0) of the plan", isFailure: true)
  }

  /// Reads a result line.
  ///
  /// - Returns: false where it is none, or stands where no test is.
  private mutating func readResult(
    _ line: Span<UInt8>,
    _ found: TAPLine,
    _ isInterrupted: Bool,
    _ log: inout ResultLog
  ) -> Bool {
    var place = rows.count - 1
    while place >= 0, rows[place].position != found.position { place -= 1 }
    let isKTAP = place >= 0 ? rows[place].isKTAP : rows[rows.count - 1].isKTAP
    guard let parts = TAPResultLine(line, at: found.start, before: line.count, isNumbered: isKTAP) else { return false }
    if place < 0 {
      // TAP 14: subtests without a line that says so.
      let top = rows[rows.count - 1].position
      guard !isKTAP, found.position == TAPPosition(hashes: top.hashes, column: top.column + 4) else { return false }
      begin(found.position, isKTAP: false, name: nil, &log)
      guard rows[rows.count - 1].position == found.position else { return true }
      place = rows.count - 1
    }
    while rows.count - 1 > place + 1 { closeUnfinished(&log) }
    var inner: TestRow?
    if rows.count - 1 > place {
      var row = rows.removeLast()
      Self.finish(&row, &log)
      inner = row
    }
    if isInterrupted { log.note(.interrupted, "a message of the kernel's begins in the middle of a result line") }
    add(parts, line, inner, place, &log)
    return true
  }

  private mutating func add(
    _ parts: TAPResultLine,
    _ line: Span<UInt8>,
    _ inner: TestRow?,
    _ place: Int,
    _ log: inout ResultLog
  ) {
    if rows[place].writesBehind == nil { rows[place].writesBehind = !rows[place].isKTAP && !log.hasRecent }
    if inner == nil { Self.attachBehind(&rows[place], &log) }
    let number = checkNumber(parts.number, place, &log)
    keep(result(parts, line, inner, place, number, &log), place, &log)
    if let plan = rows[place].plan, rows[place].results.count + rows[place].lost == plan + 1 {
      noteBeyondPlan(place, &log)
    }
  }

  private func result(
    _ parts: TAPResultLine,
    _ line: Span<UInt8>,
    _ inner: TestRow?,
    _ place: Int,
    _ number: Int,
    _ log: inout ResultLog
  ) -> TestResult {
    var name = parts.name.isEmpty ? "" : log.text(line, parts.name)
    if name.isEmpty { name = inner?.name ?? rows[place].nextName ?? "test \(number)" }
    var text: String?
    if let range = parts.text, !range.isEmpty { text = log.text(line, range) }
    var outcome = parts.directive?.outcome(isOK: parts.isOK) ?? (parts.isOK ? .passed : .failed)
    if let inner { Self.consider(inner, name, &outcome, &text, &log) }
    var diagnostics: [String] = []
    if outcome != .passed, outcome != .skipped, rows[place].writesBehind != true {
      diagnostics = log.takeRecent()
    } else {
      log.forgetRecent()
    }
    // Made at once: one that is changed is copied, which takes half as long as all else.
    return TestResult(
      name: name,
      number: number,
      outcome: outcome,
      text: text,
      diagnostics: diagnostics,
      duration: Self.difference(log.time, inner.map { $0.began } ?? rows[place].last),
      subtests: inner?.results ?? []
    )
  }

  private mutating func keep(_ result: consuming TestResult, _ place: Int, _ log: inout ResultLog) {
    rows[place].nextName = nil
    rows[place].last = log.time
    if let progress = log.progress { progress(.ended(path + [result.name], result.outcome)) }
    if log.takesResult() { rows[place].results.append(result) } else { rows[place].lost += 1 }
  }

  /// The number of the result that comes now, in the order in which results should come.
  private mutating func checkNumber(_ number: Int?, _ place: Int, _ log: inout ResultLog) -> Int {
    let expected = rows[place].next
    let number = number ?? expected
    rows[place].next = number + 1
    if number != expected {
      rows[place].isDisordered = true
      log.note(.number, "result \(number) where \(expected) would be next")
    }
    return number
  }

  /// What the subtests of a test make of its result.
  private static func consider(
    _ inner: TestRow,
    _ name: String,
    _ outcome: inout TestOutcome,
    _ text: inout String?,
    _ log: inout ResultLog
  ) {
    if let other = inner.name, other != name {
      log.note(.otherName, "the subtests of '\(other)' end with the result of '\(name)'")
    }
    if outcome == .passed, inner.results.isEmpty, inner.lost == 0 {
      if let skip = inner.skip {
        outcome = .skipped
        text = skip
      } else {
        log.note(.noTests, "'\(name)' has no tests")
      }
    }
    if outcome == .passed || outcome == .skipped, let failed = inner.results.first(where: { $0.outcome.isFailure }) {
      log.note(.failedSubtest, "'\(name)' says ok, and its subtest '\(failed.name)' is \(failed.outcome.rawValue)")
      outcome = .failed
    }
  }
}
