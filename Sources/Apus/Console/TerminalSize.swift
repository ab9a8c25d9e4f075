internal import CLinux
internal import Glibc
import KVM

/// The size of the terminal that a person sees the console on, and its changes, for as long as the value lives.
final class TerminalSize {
  private let descriptor: OwnedDescriptor
  private var previous = sigset_t()

  init() throws(HostError) {
    var previous = sigset_t()
    // SAFETY: the structure holds for the call.
    let number = unsafe clinux_size_signal_take(&previous)
    guard number >= 0 else { throw HostError("signalfd", errno: -number, advice: HostError.tooManyDescriptors) }
    descriptor = OwnedDescriptor(owning: number)
    self.previous = previous
  }

  deinit {
    // SAFETY: the structure holds for the call.
    unsafe clinux_stop_signals_restore(&previous)
  }

  /// Readable when the size has changed.
  var rawValue: Int32 { descriptor.rawValue }

  /// Takes note of a change.
  func answer() {
    while clinux_stop_signal_read(descriptor.rawValue) != 0 {}
  }

  /// The size now, in characters, where it is known.
  var current: (columns: UInt16, rows: UInt16)? {
    var (columns, rows): (UInt16, UInt16) = (0, 0)
    // SAFETY: the variables hold for the call.
    return unsafe clinux_terminal_size(STDIN_FILENO, &columns, &rows) ? (columns, rows) : nil
  }
}
