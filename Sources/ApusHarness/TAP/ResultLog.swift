/// What all documents of a console write to: finished results, problems, the last lines, and how much there is of all.
struct ResultLog {
  let limits: TAPLimits
  var results: [TestResult] = []
  var problems: [TAPProblem] = []
  var omittedProblems = 0
  var documentCount = 0
  var lines = 0
  /// Result lines that no document takes.
  var outside = 0
  /// When the chunk came that is read, in nanoseconds.
  var time: UInt64?
  /// Is told of what happens.
  var progress: ((TAPEvent) -> Void)?
  /// The kernel has panicked: what is open ends.
  var hasPanicked = false

  private var resultCount = 0
  private var textLength = 0
  private var recent: [UInt8] = []

  init(limits: TAPLimits) {
    self.limits = limits
  }

  var output: TAPOutput {
    TAPOutput(
      results: results,
      problems: problems,
      omittedProblems: omittedProblems,
      documents: documentCount,
      lines: lines
    )
  }

  mutating func note(_ kind: TAPProblem.Kind, _ message: String, isFailure: Bool = false) {
    // One that makes the run fail has to be seen.
    guard problems.count < limits.problems || isFailure && problems.count < 2 * limits.problems else {
      omittedProblems += 1
      return
    }
    problems.append(TAPProblem(kind, line: lines, message: message, isFailure: isFailure))
  }

  /// Whether there is room for another result.
  mutating func takesResult() -> Bool {
    guard resultCount < limits.results else {
      if resultCount == limits.results {
        resultCount += 1
        note(.limit, "there are more than \(limits.results) results; the rest is not kept", isFailure: true)
      }
      return false
    }
    resultCount += 1
    return true
  }

  /// A text of the line, as long as there is room for it.
  mutating func text(_ line: Span<UInt8>, _ range: Range<Int>) -> String {
    let length = min(range.count, limits.nameLength)
    guard textLength + length <= limits.text else {
      if textLength <= limits.text {
        textLength = limits.text + 1
        note(.limit, "names and texts have more than \(limits.text) bytes; further ones are not kept")
      }
      return ""
    }
    textLength += length
    return TAPLine.text(line, range.lowerBound..<range.lowerBound + length)
  }

  /// Keeps a line for the test that fails next.
  mutating func remember(_ line: Span<UInt8>, from start: Int) {
    if recent.count > 2 * limits.diagnosticLength { dropOldLines() }
    let piece = line.extracting(start..<line.count)
    // SAFETY: the buffer holds for the call.
    unsafe piece.withUnsafeBufferPointer { unsafe recent.append(contentsOf: $0) }
    recent.append(0x0A)
  }

  private mutating func dropOldLines() {
    var start = recent.count - limits.diagnosticLength
    while start < recent.count, recent[start - 1] != 0x0A { start += 1 }
    recent.removeFirst(start)
  }

  /// Whether there are lines for the test that fails next.
  var hasRecent: Bool { !recent.isEmpty }

  mutating func forgetRecent() {
    recent.removeAll(keepingCapacity: true)
  }

  /// The last lines, which are forgotten then.
  mutating func takeRecent() -> [String] {
    defer { forgetRecent() }
    var start = recent.count
    var count = 0
    // Back over whole lines, each of which ends with a line feed.
    while start > 0, count < limits.diagnosticLines {
      var before = start - 1
      while before > 0, recent[before - 1] != 0x0A { before -= 1 }
      guard recent.count - before <= limits.diagnosticLength else { break }
      start = before
      count += 1
    }
    guard textLength + recent.count - start <= limits.text else { return [] }
    textLength += recent.count - start
    let lines = recent[start...].split(separator: 0x0A)
    return lines.map { String(decoding: $0, as: UTF8.self) }
  }
}
