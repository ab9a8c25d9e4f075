internal import CHost

/// A counter that one thread raises to wake another.
package struct Doorbell: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor

  package init() throws(HostError) {
    let number = chost_eventfd()
    guard number >= 0 else { throw HostError("eventfd", errno: chost_errno(), advice: HostError.tooManyDescriptors) }
    descriptor = OwnedDescriptor(owning: number)
  }

  /// What to watch.
  package var rawValue: Int32 { descriptor.rawValue }

  /// From any thread.
  package func ring() {
    chost_eventfd_signal(descriptor.rawValue)
  }

  /// Takes all rings so far.
  package func answer() {
    _ = chost_counter_take(descriptor.rawValue)
  }
}

/// A doorbell that others keep alive.
package final class SharedDoorbell: Sendable {
  package let doorbell: Doorbell

  package init() throws(HostError) {
    doorbell = try Doorbell()
  }
}
