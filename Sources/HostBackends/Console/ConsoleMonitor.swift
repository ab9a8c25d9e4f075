internal import Synchronization

/// Who listens to a guest's console beside its reader, and types on it. From any thread where nothing else is said.
package final class ConsoleMonitor: Sendable {
  /// It is called under a lock, on any thread: it must be quick, and must not come back here.
  package typealias Listener = @Sendable (ArraySlice<UInt8>) -> Void

  private struct State {
    /// The last that was written: up to twice the limit, since what is cut off moves the rest.
    var history: [UInt8] = []
    var listeners: [(number: UInt64, call: Listener)] = []
    var count: UInt64 = 0
    var input: ArraySlice<UInt8> = []
    var onInput: (@Sendable () -> Void)?
  }

  /// How much of what was written is kept, in bytes.
  package static let historyLimit = 64 << 10
  /// How much may wait to be read by the guest, in bytes.
  package static let inputLimit = 64 << 10

  private let state = Mutex(State())

  package init() {}

  /// Has `listener` hear what is written from now on.
  ///
  /// - Parameter replay: whether it hears first what is kept.
  /// - Returns: a number for ``end(_:)``.
  package func listen(replay: Bool, _ listener: @escaping Listener) -> UInt64 {
    state.withLock { state in
      state.count += 1
      state.listeners.append((state.count, listener))
      if replay, !state.history.isEmpty { listener(state.history.suffix(Self.historyLimit)) }
      return state.count
    }
  }

  /// The listener hears nothing any more.
  package func end(_ number: UInt64) {
    state.withLock { $0.listeners.removeAll { $0.number == number } }
  }

  /// Types on the console.
  ///
  /// - Returns: false where the guest has not read what was typed before, and nothing was taken.
  package func send(_ bytes: [UInt8]) -> Bool {
    let (isTaken, notify) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
      guard state.input.count + bytes.count <= Self.inputLimit else { return (false, nil) }
      state.input += bytes
      return (true, state.onInput)
    }
    notify?()
    return isTaken
  }

  // MARK: The machine's side, on the device thread

  /// The guest has written something.
  func note(_ bytes: ArraySlice<UInt8>) {
    state.withLock { state in
      state.history += bytes
      if state.history.count > 2 * Self.historyLimit {
        state.history.removeFirst(state.history.count - Self.historyLimit)
      }
      for listener in state.listeners { listener.call(bytes) }
    }
  }

  /// - Parameter onInput: called from any thread when there is input.
  func connect(onInput: @escaping @Sendable () -> Void) {
    state.withLock { $0.onInput = onInput }
  }

  /// Takes the oldest bytes of the input, at most `limit`.
  func takeInput(limit: Int) -> ArraySlice<UInt8> {
    state.withLock { state in
      let taken = state.input.prefix(limit)
      state.input = state.input.dropFirst(taken.count)
      return taken
    }
  }
}
