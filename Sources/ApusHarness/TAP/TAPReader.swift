/// Reads KTAP, TAP 13 and TAP 14 from what a guest prints, as it comes.
///
/// Nothing counts before a version line, which begins a document. Results of the kernel's log, whose lines have time
/// stamps, and of programs that write to the same console are kept apart: each of both may have a document at the same
/// time. Documentation/TestResults.md has all rules.
public struct TAPReader {
  /// How much is taken at most.
  public let limits: TAPLimits
  /// Whether a plan (`1..3`) without a version line before it begins a document, too: for a port that only tests write
  /// to, not for a console.
  public let beginsAtPlan: Bool

  var documents = Documents()
  var log: ResultLog
  private var buffer: LineBuffer

  public init(limits: TAPLimits = TAPLimits(), beginsAtPlan: Bool = false) {
    self.limits = limits
    self.beginsAtPlan = beginsAtPlan
    buffer = LineBuffer(limit: limits.lineLength)
    log = ResultLog(limits: limits)
  }

  /// The documents that are open.
  struct Documents {
    /// Of lines with the kernel's time stamps.
    var kernel = TAPDocument()
    /// Of lines without.
    var user = TAPDocument()

    subscript(isStamped: Bool) -> TAPDocument {
      get { isStamped ? kernel : user }
      _modify {
        if isStamped { yield &kernel } else { yield &user }
      }
    }

    /// Asked of each line: the subscript would copy the document and count references.
    func isOpen(_ isStamped: Bool) -> Bool { isStamped ? kernel.isOpen : user.isOpen }
    func isWhole(_ isStamped: Bool) -> Bool { isStamped ? kernel.isWhole : user.isWhole }

    var isAnyOpen: Bool { kernel.isOpen || user.isOpen }
  }

  /// Reads what has come.
  ///
  /// - Parameters:
  ///   - bytes: any number of them: a line may be in several chunks, and a chunk may have many lines.
  ///   - time: when they came, in nanoseconds of any clock; nil where nobody measures.
  ///   - progress: is told of what begins and ends, in order.
  public mutating func read(_ bytes: Span<UInt8>, at time: UInt64? = nil, progress: ((TAPEvent) -> Void)? = nil) {
    log.time = time
    log.progress = progress
    var index = 0
    while true {
      let place = buffer.next(in: bytes, from: &index)
      switch place {
      case .inChunk(let range): readLine(bytes.extracting(range), hasControls: buffer.hasControls)
      case .inBuffer:
        let line = buffer.take()
        readLine(line.span, hasControls: buffer.hasControls)
        buffer.clear(line)
      case .nowhere:
        log.progress = nil
        return
      }
    }
  }

  /// Reads what has come, as an array.
  ///
  /// - Parameters:
  ///   - bytes: any number of them.
  ///   - time: when they came, in nanoseconds of any clock; nil where nobody measures.
  ///   - progress: is told of what begins and ends, in order.
  public mutating func read(_ bytes: [UInt8], at time: UInt64? = nil, progress: ((TAPEvent) -> Void)? = nil) {
    read(bytes.span, at: time, progress: progress)
  }

  /// The console has ended: what was planned or begun and has not reported is missing now. The reader begins anew.
  public mutating func finish() -> TAPOutput {
    if buffer.hasRest {
      let line = buffer.take()
      readLine(line.span, hasControls: buffer.hasControls)
      buffer.clear(line)
    }
    documents.kernel.close(&log)
    documents.user.close(&log)
    if buffer.cutLines > 0 {
      log.note(.limit, "\(buffer.cutLines) lines were longer than \(limits.lineLength) bytes and were cut")
    }
    if log.outside > 0 { log.note(.outside, "\(log.outside) result lines outside of any document do not count") }
    let output = log.output
    self = TAPReader(limits: limits, beginsAtPlan: beginsAtPlan)
    return output
  }

  private mutating func readLine(_ line: Span<UInt8>, hasControls: Bool) {
    log.lines += 1
    if hasControls {
      let cleaned = ControlBytes.removed(from: line)
      readPieces(cleaned.span, lastBracket: .max)
    } else {
      readPieces(line, lastBracket: buffer.lastBracket)
    }
  }

  /// A message of the kernel's that begins in the middle of a line is one of its own.
  private mutating func readPieces(_ line: Span<UInt8>, lastBracket: Int) {
    var end = line.count
    while end > 0, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
    guard end > 0 else { return }
    if !documents.isAnyOpen, !beginsAtPlan, TAPLine.version(line, from: 0, before: end) == nil {
      if Self.looksLikeResult(line, end) { log.outside += 1 }
      return
    }
    var start = 0
    var stamp = PrintkStamp.end(line, at: 0, before: end)
    var index = stamp ?? 0
    while index <= lastBracket, index < end {
      if line[index] == UInt8(ascii: "["), index > start, let behind = PrintkStamp.end(line, at: index, before: end) {
        readPiece(line.extracting(start..<index), stamp.map { $0 - start }, isInterrupted: true)
        start = index
        stamp = behind
        index = behind
      } else {
        index += 1
      }
    }
    readPiece(line.extracting(start..<end), stamp.map { $0 - start }, isInterrupted: false)
  }

  /// Reads a line, or a piece of one, with no stamp but that at its begin, of whose end the index is given.
  private mutating func readPiece(_ line: Span<UInt8>, _ stamp: Int?, isInterrupted: Bool) {
    let end = line.count
    let isStamped = stamp != nil
    let start = stamp ?? 0
    if let version = TAPLine.version(line, from: start, before: end),
      readVersion(version, line, from: start, isStamped: isStamped)
    {
      return
    }
    if documents.isOpen(isStamped) {
      documents[isStamped].readLine(line, from: start, isOwn: true, isInterrupted: isInterrupted, &log)
    } else if documents.isOpen(!isStamped), !documents.isWhole(!isStamped) {
      documents[!isStamped].readLine(line, from: start, isOwn: false, isInterrupted: isInterrupted, &log)
    } else if beginsAtPlan, TAPPlan(line, at: start, before: end) != nil {
      documents[isStamped].open(LinePrefix(), isKTAP: false, &log)
      documents[isStamped].readLine(line, from: start, isOwn: true, isInterrupted: isInterrupted, &log)
    } else if Self.looksLikeResult(line.extracting(start..<end), end - start) {
      log.outside += 1
    }
    if log.hasPanicked {
      documents.kernel.close(&log)
      documents.user.close(&log)
      log.hasPanicked = false
    }
  }

  /// Begins a document or a row of subtests.
  ///
  /// - Returns: false where the words of a version line only stand behind others.
  private mutating func readVersion(
    _ version: TAPLine.Version,
    _ line: Span<UInt8>,
    from start: Int,
    isStamped: Bool
  ) -> Bool {
    let known = version.isKTAP ? version.number == 1 : version.number == 13 || version.number == 14
    if documents.isOpen(isStamped) {
      let place = documents[isStamped].place(line, from: start, before: version.start)
      if let place {
        documents[isStamped].readVersion(at: place, version.isKTAP, &log)
      } else if documents.isWhole(isStamped) {
        documents[isStamped].close(&log)
        documents[isStamped].open(LinePrefix(line, start..<version.start), isKTAP: version.isKTAP, &log)
      } else {
        return false
      }
    } else if documents.isOpen(!isStamped), !documents.isWhole(!isStamped),
      let place = documents[!isStamped].place(line, from: start, before: version.start), place != TAPPosition()
    {
      documents[!isStamped].readVersion(at: place, version.isKTAP, &log)
    } else {
      documents[isStamped].open(LinePrefix(line, start..<version.start), isKTAP: version.isKTAP, &log)
    }
    if !known { log.note(.version, "version \(version.number) of \(version.isKTAP ? "KTAP" : "TAP") is not known") }
    return true
  }

  /// Whether a line outside of documents would have been a result.
  private static func looksLikeResult(_ line: Span<UInt8>, _ end: Int) -> Bool {
    let start = PrintkStamp.end(line, at: 0, before: end) ?? 0
    guard end - start >= 4, line[start] == UInt8(ascii: "o") || line[start] == UInt8(ascii: "n") else { return false }
    return TAPResultLine(line, at: start, before: end, isNumbered: true) != nil
  }
}
