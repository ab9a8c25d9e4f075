internal import CHost
internal import Glibc
internal import Synchronization

/// Signals of one group as a descriptor, for as long as the value lives: they do nothing else then.
package final class SignalDescriptor: @unchecked Sendable {
  // SAFETY: @unchecked: the mask is written before anybody else has the value.

  private let descriptor: OwnedDescriptor
  private var previous = sigset_t()
  private let isGivenBack = Atomic(false)

  private init(_ group: chost_signals) throws(HostError) {
    var previous = sigset_t()
    // SAFETY: the structure holds for the call.
    let number = unsafe chost_signals_take(group, &previous)
    guard number >= 0 else { throw HostError("signalfd", errno: -number, advice: HostError.tooManyDescriptors) }
    descriptor = OwnedDescriptor(owning: number)
    self.previous = previous
  }

  deinit {
    giveBack()
  }

  /// Has the signals do again what they did before. On the thread that made the value, where another may be the last to
  /// hold it.
  package func giveBack() {
    guard !isGivenBack.exchange(true, ordering: .relaxed) else { return }
    // SAFETY: the structure holds for the call.
    unsafe chost_signals_restore(&previous)
  }

  /// Those that ask a process to end: SIGINT, SIGTERM and SIGHUP.
  ///
  /// - Throws: where the host has no descriptor left.
  package static func stop() throws(HostError) -> SignalDescriptor { try SignalDescriptor(chost_signals_stop) }

  /// That the size of the process's terminal has changed: SIGWINCH.
  ///
  /// - Throws: where the host has no descriptor left.
  package static func terminalSize() throws(HostError) -> SignalDescriptor {
    try SignalDescriptor(chost_signals_terminal_size)
  }

  /// Whether a signal says that a terminal was closed or, to a server, that its files are to be read again: SIGHUP.
  package static func isHangUp(_ signal: Int32) -> Bool { signal == SIGHUP }

  /// Readable when a signal has come.
  package var rawValue: Int32 { descriptor.rawValue }

  /// The next signal; waits for it.
  package func wait() -> Int32 {
    var event = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    while true {
      // SAFETY: the structure holds for the call.
      if unsafe poll(&event, 1, -1) > 0, let signal = take() { return signal }
    }
  }

  /// A signal that has come, if any.
  package func take() -> Int32? {
    let signal = chost_signal_read(descriptor.rawValue)
    return signal == 0 ? nil : signal
  }
}
