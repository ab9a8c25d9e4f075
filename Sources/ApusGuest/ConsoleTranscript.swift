public import Apus
internal import Synchronization
internal import TestLimits

/// Everything that a guest has written to its serial port so far but for carriage returns, and a place in it up to
/// which a test has read.
///
/// May be used from any task; one at a time reads.
public final class ConsoleTranscript: Sendable {
  private struct State {
    var bytes: [UInt8] = []
    var position = 0
    var dropped = 0
    /// How many bytes have come, carriage returns and all.
    var received: UInt64 = 0
    var hasEnded = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let console: ConsoleStream
  private let state = Mutex(State())

  /// How many bytes are kept; of what comes behind them the oldest half goes.
  public static let limit = 32 << 20

  /// Follows a console from now on, to its end. Nobody else should read it.
  ///
  /// - Parameters:
  ///   - console: of a machine.
  ///   - observer: gets all that comes, as it comes, and must not wait.
  public init(_ console: ConsoleStream, observer: (@Sendable ([UInt8]) -> Void)? = nil) {
    self.console = console
    Task {
      for await bytes in console.output {
        observer?(bytes)
        change { state in
          state.received += UInt64(bytes.count)
          state.bytes.append(contentsOf: bytes.lazy.filter { $0 != 0x0D })
          guard state.bytes.count > Self.limit else { return }
          let dropped = state.bytes.count - Self.limit / 2
          state.bytes.removeFirst(dropped)
          state.dropped += dropped
          state.position = max(0, state.position - dropped)
        }
      }
      change { $0.hasEnded = true }
    }
  }

  /// How many bytes are not kept any more: see ``limit``.
  public var droppedByteCount: Int { state.withLock { $0.dropped } }

  /// All that has come so far.
  public var text: String { state.withLock { Self.text($0.bytes[...]) } }

  /// All that will have come when the machine has ended; waits for that.
  public var wholeText: String {
    get async {
      while await waitForChange(from: nil, until: nil) {}
      return text
    }
  }

  /// Waits until all that the guest has written until now was handed on: output takes another way than what is said of
  /// a program's end, and may be overtaken by that.
  package func catchUp() async {
    let wanted = console.byteCount
    while !state.withLock({ $0.hasEnded || $0.received >= wanted }) {
      // It is there, and its reader waits for nothing but a thread.
      try? await Task.sleep(for: .milliseconds(1))
    }
  }

  /// The last lines, at most 60 of at most 6,000 bytes: a panic with its call trace.
  ///
  /// - Parameter isEnded: whether the machine has ended; what it has written is waited for then.
  func lastLines(ofWhole isEnded: Bool) async -> String {
    let text = isEnded ? await wholeText : text
    let lines = text.utf8.suffix(6000).split(separator: 0x0A, omittingEmptySubsequences: true).suffix(60)
    return lines.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
  }

  /// Sends text to the guest, as typed.
  public func send(_ text: String) {
    console.send(text)
  }

  /// Waits for text behind what was read so far; it counts as read then, and all before it.
  ///
  /// - Parameters:
  ///   - text: what the guest is to write, carriage returns left out.
  ///   - limit: how long to wait on a machine that has nothing else to do.
  /// - Throws: ``MissingOutput`` where it doesn't come in time, or not before the machine's end.
  public func expect(_ text: String, within limit: Duration = .seconds(120)) async throws(MissingOutput) {
    let wanted = Array(text.utf8)
    try await read(within: limit, "'\(text)'") { bytes -> (end: Int, result: Void)? in
      guard bytes.count >= wanted.count else { return nil }
      var start = bytes.startIndex
      while let first = bytes[start...].firstIndex(of: wanted.first ?? 0), first + wanted.count <= bytes.endIndex {
        if bytes[first..<first + wanted.count].elementsEqual(wanted) { return (first + wanted.count, ()) }
        start = first + 1
      }
      return nil
    }
  }

  /// Waits for a whole line, behind what was read so far, that `isWanted`; it and all before it count as read then.
  ///
  /// - Parameters:
  ///   - what: what is waited for, in words for a failure's message.
  ///   - limit: how long to wait on a machine that has nothing else to do.
  ///   - isWanted: gets each line without its end.
  /// - Returns: the line without its end.
  /// - Throws: ``MissingOutput`` where it doesn't come in time, or not before the machine's end.
  public func expectLine(
    _ what: String,
    within limit: Duration = .seconds(120),
    where isWanted: (String) -> Bool
  ) async throws(MissingOutput) -> String {
    try await read(within: limit, what) { bytes -> (end: Int, result: String)? in
      var start = bytes.startIndex
      while let end = bytes[start...].firstIndex(of: 0x0A) {
        let line = Self.text(bytes[start..<end])
        if isWanted(line) { return (end + 1, line) }
        start = end + 1
      }
      return nil
    }
  }

  /// Output that did not come in time, or not before the machine's end.
  public struct MissingOutput: Error, CustomStringConvertible {
    /// What was waited for.
    public let wanted: String
    /// What had come and was not read yet.
    public let unread: String

    public var description: String { "the guest did not write \(wanted), but: \(unread.suffix(2000))" }
  }

  private func read<Result>(
    within limit: Duration,
    _ what: String,
    _ find: (ArraySlice<UInt8>) -> (end: Int, result: Result)?
  ) async throws(MissingOutput) -> Result {
    let limit = TestLimit(limit)
    while true {
      // A copy of what is unread alone: of all it would be made again for each piece that comes.
      let (unread, count) = state.withLock { (Array($0.bytes[$0.position...]), $0.dropped + $0.bytes.count) }
      if let (end, result) = find(unread[...]) {
        state.withLock { $0.position = min($0.position + end, $0.bytes.count) }
        return result
      }
      guard await waitForChange(from: count, until: limit) else {
        throw MissingOutput(wanted: what, unread: Self.text(unread[...]))
      }
    }
  }

  /// Waits for more than `count` bytes, or without a count for the end.
  ///
  /// - Returns: false when the limit has passed, and where no more will come.
  private func waitForChange(from count: Int?, until limit: TestLimit?) async -> Bool {
    while true {
      let (byteCount, hasEnded) = state.withLock { ($0.dropped + $0.bytes.count, $0.hasEnded) }
      if let count, byteCount > count { return true }
      if hasEnded { return false }
      guard let limit else {
        await nextChange(from: count)
        return true
      }
      guard !limit.hasPassed else { return false }
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await self.nextChange(from: count) }
        group.addTask { try? await Task.sleep(for: .milliseconds(500)) }
        await group.next()
        group.cancelAll()
      }
    }
  }

  private func nextChange(from count: Int?) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          let hasMore = if let count { state.dropped + state.bytes.count > count } else { false }
          if hasMore || state.hasEnded || Task.isCancelled { return true }
          state.waiters.append(continuation)
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      change { _ in }
    }
  }

  private func change(_ body: (inout State) -> Void) {
    let waiters = state.withLock { state in
      body(&state)
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }
}
