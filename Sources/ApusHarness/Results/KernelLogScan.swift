/// What a kernel says in its log when something is wrong.
public struct KernelLogFinding: Sendable, Equatable {
  /// What it is, from the worst on.
  public enum Kind: String, Sendable, CaseIterable {
    /// `Kernel panic - not syncing: …`
    case panic
    /// `Unable to handle kernel …`, `Internal error: …`, `kernel BUG at …`
    case oops
    /// `BUG: KASAN: …`
    case kasan
    /// `BUG: …` of any other kind.
    case bug
    /// What the sanitizer of undefined behaviour says.
    case ubsan
    /// `watchdog: BUG: soft lockup …`, `Watchdog detected hard LOCKUP …`
    case lockup
    /// `rcu: INFO: rcu_sched … stall …`
    case rcuStall = "rcu-stall"
    /// `INFO: task … blocked for more than … seconds.`
    case hungTask = "hung-task"
    /// `WARNING: possible … detected`, and what else lockdep finds.
    case lockdep
    /// `WARNING: CPU: … at …`
    case warning
  }

  /// Which sort of complaint.
  public var kind: Kind
  /// The number of the line of the console, from 1.
  public var line: Int
  /// The line that says it, without its time stamp.
  public var text: String
  /// The lines behind it.
  public var following: [String]

  public init(_ kind: Kind, line: Int, text: String, following: [String] = []) {
    self.kind = kind
    self.line = line
    self.text = text
    self.following = following
  }
}

/// Finds panics, oopses and warnings of a guest's kernel in its console, as it comes.
///
/// A line counts where the words stand at its begin, behind a time stamp if there is one: a test that quotes them in a
/// line of its own says nothing of the kernel.
public struct KernelLogScan: Sendable {
  /// What was found so far, in order, at most ``maximumFindings``.
  public private(set) var findings: [KernelLogFinding] = []
  /// How many more there were.
  public private(set) var omitted = 0
  /// Whether there was a panic, however much was found before.
  public private(set) var hasPanic = false

  /// How many findings are kept.
  public static let maximumFindings = 64
  /// How many lines behind a finding are kept.
  public static let maximumFollowing = 40

  private var buffer = LineBuffer(limit: 1024)
  private var lines = 0
  private var remaining = 0

  public init() {}

  /// Reads what has come.
  ///
  /// - Parameter bytes: any number of them, as the console gave them.
  public mutating func read(_ bytes: Span<UInt8>) {
    var index = 0
    while true {
      switch buffer.next(in: bytes, from: &index) {
      case .inChunk(let range): readLine(bytes.extracting(range), hasControls: buffer.hasControls)
      case .inBuffer:
        let line = buffer.take()
        readLine(line.span, hasControls: buffer.hasControls)
        buffer.clear(line)
      case .nowhere: return
      }
    }
  }

  /// Reads what has come, as an array.
  ///
  /// - Parameter bytes: any number of them, as the console gave them.
  public mutating func read(_ bytes: [UInt8]) {
    read(bytes.span)
  }

  /// The console has ended: a line without its end counts.
  public mutating func finish() {
    guard buffer.hasRest else { return }
    let line = buffer.take()
    readLine(line.span, hasControls: buffer.hasControls)
    buffer.clear(line)
  }

  private mutating func readLine(_ line: Span<UInt8>, hasControls: Bool) {
    lines += 1
    if hasControls {
      let cleaned = ControlBytes.removed(from: line)
      readPieces(cleaned.span)
    } else {
      readPieces(line)
    }
  }

  /// The kernel may begin in the middle of what a program writes.
  private mutating func readPieces(_ line: Span<UInt8>) {
    let end = line.count
    var start = PrintkStamp.end(line, at: 0, before: end) ?? 0
    var index = start
    while index < end {
      if line[index] == UInt8(ascii: "["), let behind = PrintkStamp.end(line, at: index, before: end) {
        readPiece(line, start, index)
        start = behind
        index = behind
      } else {
        index += 1
      }
    }
    readPiece(line, start, end)
  }

  private mutating func readPiece(_ line: Span<UInt8>, _ start: Int, _ end: Int) {
    guard start < end else { return }
    if let kind = Self.kind(line, start, end) {
      // An oops has several such lines.
      let isPart = remaining > 0 && findings.last?.kind == kind && kind == .oops
      if !isPart {
        found(kind, line, start..<end)
        return
      }
    }
    guard remaining > 0 else { return }
    findings[findings.count - 1].following.append(TAPLine.text(line, start..<end))
    remaining = TAPLine.begins(line, at: start, before: end, with: "---[ end") ? 0 : remaining - 1
  }

  private mutating func found(_ kind: KernelLogFinding.Kind, _ line: Span<UInt8>, _ range: Range<Int>) {
    guard findings.count < Self.maximumFindings || kind == .panic && !hasPanic else {
      omitted += 1
      remaining = 0
      return
    }
    hasPanic = hasPanic || kind == .panic
    findings.append(KernelLogFinding(kind, line: lines, text: TAPLine.text(line, range)))
    remaining = Self.maximumFollowing
  }

  private static func kind(_ line: Span<UInt8>, _ start: Int, _ end: Int) -> KernelLogFinding.Kind? {
    func begins(_ words: StaticString, at index: Int = start) -> Bool {
      TAPLine.begins(line, at: index, before: end, with: words)
    }
    func contains(_ words: StaticString) -> Bool {
      (start..<end).contains { begins(words, at: $0) }
    }
    switch line[start] {
    case UInt8(ascii: "K"): return begins("Kernel panic - not syncing") ? .panic : nil
    case UInt8(ascii: "U"):
      return begins("Unable to handle kernel") ? .oops : begins("UBSAN: ") ? .ubsan : nil
    case UInt8(ascii: "k"): return begins("kernel BUG at ") ? .oops : nil
    case UInt8(ascii: "B"):
      guard begins("BUG: ") else { return nil }
      return begins("BUG: KASAN: ") ? .kasan : begins("BUG: soft lockup") ? .lockup : .bug
    case UInt8(ascii: "W"):
      if begins("WARNING: CPU: ") { return .warning }
      if begins("Watchdog detected hard LOCKUP") { return .lockup }
      guard begins("WARNING: ") else { return nil }
      return contains("detected") || contains("lock") || contains("RCU usage") ? .lockdep : .warning
    case UInt8(ascii: "w"):
      guard begins("watchdog: ") else { return nil }
      return contains("lockup") || contains("LOCKUP") ? .lockup : nil
    case UInt8(ascii: "r"): return begins("rcu: INFO: ") && contains("stall") ? .rcuStall : nil
    case UInt8(ascii: "I"):
      if begins("Internal error: ") { return .oops }
      guard begins("INFO: ") else { return nil }
      if begins("INFO: task ") { return contains("blocked for more than") ? .hungTask : nil }
      return contains("stall") ? .rcuStall : contains("possible recursive locking") ? .lockdep : nil
    default: return nil
    }
  }
}
