internal import CHost

/// An eventfd: a counter that one thread raises to wake another.
package struct EventDescriptor: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor

  /// - Throws: where the host has no descriptor left.
  package init() throws(HostError) {
    let number = chost_eventfd()
    guard number >= 0 else { throw HostError("eventfd", errno: chost_errno(), advice: HostError.tooManyDescriptors) }
    descriptor = OwnedDescriptor(owning: number)
  }

  /// What to watch.
  package var rawValue: Int32 { descriptor.rawValue }

  /// From any thread.
  package func signal() {
    chost_eventfd_signal(descriptor.rawValue)
  }

  /// Waits until it is signalled, or another descriptor can be read.
  package func wait(beside other: Int32 = -1) {
    chost_wait_for_either(descriptor.rawValue, other, -1)
  }

  /// Takes all that was signalled so far.
  package func clear() {
    _ = chost_counter_take(descriptor.rawValue)
  }
}
