import Synchronization

/// A guest's serial port as a program sees it: output to iterate over, input to send.
///
/// Output that nobody reads is kept up to 4 MiB; then the oldest goes, and ``droppedByteCount`` tells how much: a guest
/// never waits for a program that does not listen. One iteration at a time; a second one shares what comes.
public final class ConsoleStream: Sendable {
  private struct State {
    // Slices: what is taken off their front moves nothing.
    var output: ArraySlice<UInt8> = []
    var input: ArraySlice<UInt8> = []
    var dropped: UInt64 = 0
    /// How many bytes the guest has written in all.
    var written: UInt64 = 0
    var hasEnded = false
    /// What resumes those who wait for output.
    var waiters: [@Sendable () -> Void] = []
    var onInput: (@Sendable () -> Void)?
  }

  private static let capacity = 4 << 20

  private let state = Mutex(State())

  /// A console without a machine, which ``Machine`` connects.
  package init() {}

  /// How many bytes of output were lost because nobody read them.
  public var droppedByteCount: UInt64 { state.withLock { $0.dropped } }

  /// How many bytes the guest has written that came, or will come, to who reads.
  package var byteCount: UInt64 { state.withLock { $0.written - $0.dropped } }

  /// Sends bytes to the guest. They wait until the guest has opened its serial port.
  public func send(_ bytes: some Sequence<UInt8>) {
    let notify = state.withLock { state in
      state.input.append(contentsOf: bytes)
      return state.onInput
    }
    notify?()
  }

  /// Sends text to the guest, as UTF-8.
  public func send(_ text: String) {
    send(text.utf8)
  }

  /// The output as it comes, in runs of bytes. It ends when the machine has.
  public var output: Output { Output(stream: self) }

  /// The output by lines, without their ends; a last line without an end counts.
  public var lines: Lines { Lines(output: output) }

  /// Runs of output bytes.
  public struct Output: AsyncSequence, Sendable {
    fileprivate let stream: ConsoleStream

    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    /// Takes what has come, or waits.
    public struct Iterator: AsyncIteratorProtocol {
      fileprivate let stream: ConsoleStream

      public mutating func next() async -> [UInt8]? {
        await stream.nextOutput()
      }
    }
  }

  /// Lines of output.
  public struct Lines: AsyncSequence, Sendable {
    fileprivate let output: Output

    public func makeAsyncIterator() -> Iterator { Iterator(chunks: output.makeAsyncIterator()) }

    /// Collects bytes up to a line feed.
    public struct Iterator: AsyncIteratorProtocol {
      fileprivate var chunks: Output.Iterator
      private var pending: [UInt8] = []

      fileprivate init(chunks: Output.Iterator) {
        self.chunks = chunks
      }

      public mutating func next() async -> String? {
        while true {
          if let end = pending.firstIndex(of: 0x0A) {
            let line = pending[..<end]
            pending.removeSubrange(...end)
            return text(line)
          }
          guard let chunk = await chunks.next() else {
            guard !pending.isEmpty else { return nil }
            defer { pending = [] }
            return text(pending[...])
          }
          pending.append(contentsOf: chunk)
        }
      }

      private func text(_ line: ArraySlice<UInt8>) -> String {
        String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
      }
    }
  }

  private func nextOutput() async -> [UInt8]? {
    while true {
      let (chunk, hasEnded) = state.withLock { state in
        let chunk = state.output
        state.output = []
        return (Array(chunk), state.hasEnded)
      }
      if !chunk.isEmpty { return chunk }
      if hasEnded || Task.isCancelled { return nil }
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let isReady = state.withLock { state in
            if state.hasEnded || !state.output.isEmpty || Task.isCancelled { return true }
            state.waiters.append { continuation.resume() }
            return false
          }
          if isReady { continuation.resume() }
        }
      } onCancel: {
        wake { _ in }
      }
    }
  }

  private func wake(_ change: (inout State) -> Void) {
    let waiters = state.withLock { state in
      change(&state)
      let waiters = state.waiters
      state.waiters = []
      return waiters
    }
    for waiter in waiters { waiter() }
  }

  // MARK: The machine's side, on the device thread

  /// - Parameter onInput: called from any thread when there is input.
  package func connect(onInput: @escaping @Sendable () -> Void) {
    state.withLock { $0.onInput = onInput }
  }

  /// Takes the oldest bytes of the input, at most `limit`. On the device thread.
  package func takeInput(limit: Int) -> ArraySlice<UInt8> {
    state.withLock { state in
      let taken = state.input.prefix(limit)
      state.input = state.input.dropFirst(taken.count)
      return taken
    }
  }

  /// Hands the guest's output to whoever reads it. What nobody has taken is kept up to a limit; then the oldest is
  /// lost.
  package func append(_ bytes: [UInt8]) {
    wake { state in
      state.output.append(contentsOf: bytes)
      state.written += UInt64(bytes.count)
      let excess = state.output.count - Self.capacity
      if excess > 0 {
        state.output = state.output.dropFirst(excess)
        state.dropped += UInt64(excess)
      }
    }
  }

  /// The guest writes no more: readers get what is left, and then the end.
  package func end() {
    wake { state in
      state.hasEnded = true
      state.onInput = nil
    }
  }
}
