internal import CLinux
internal import Glibc
import KVM

/// Signals of one group as a descriptor, for as long as the value lives: they do nothing else then.
final class SignalDescriptor {
  private let descriptor: OwnedDescriptor
  private var previous = sigset_t()

  private init(_ group: clinux_signals) throws(HostError) {
    var previous = sigset_t()
    // SAFETY: the structure holds for the call.
    let number = unsafe clinux_signals_take(group, &previous)
    guard number >= 0 else { throw HostError("signalfd", errno: -number, advice: HostError.tooManyDescriptors) }
    descriptor = OwnedDescriptor(owning: number)
    self.previous = previous
  }

  deinit {
    // SAFETY: the structure holds for the call.
    unsafe clinux_signals_restore(&previous)
  }

  /// Those that ask a process to end: SIGINT, SIGTERM and SIGHUP.
  static func stop() throws(HostError) -> SignalDescriptor { try SignalDescriptor(clinux_signals_stop) }

  /// That the size of the process's terminal has changed: SIGWINCH.
  static func terminalSize() throws(HostError) -> SignalDescriptor {
    try SignalDescriptor(clinux_signals_terminal_size)
  }

  /// Readable when a signal has come.
  var rawValue: Int32 { descriptor.rawValue }

  /// A signal that has come, if any.
  func take() -> Int32? {
    let signal = clinux_signal_read(descriptor.rawValue)
    return signal == 0 ? nil : signal
  }
}
