internal import CHost

/// A timer that is a descriptor.
package struct HostTimer: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor

  /// A timer that is not set.
  ///
  /// - Throws: where the host has no descriptor left.
  package init() throws(HostError) {
    let number = chost_timerfd()
    guard number >= 0 else {
      throw HostError("timerfd_create", errno: chost_errno(), advice: HostError.tooManyDescriptors)
    }
    descriptor = OwnedDescriptor(owning: number)
  }

  /// What to watch.
  package var rawValue: Int32 { descriptor.rawValue }

  /// Arms the timer, from any thread.
  ///
  /// - Parameters:
  ///   - nanoseconds: until it fires, at least 1.
  ///   - interval: nanoseconds until it fires again and again, or 0 for once.
  package func arm(after nanoseconds: UInt64, every interval: UInt64 = 0) {
    _ = chost_timer_set(descriptor.rawValue, max(1, nanoseconds), interval)
  }

  /// Takes the timer back.
  package func disarm() {
    _ = chost_timer_set(descriptor.rawValue, 0, 0)
  }

  /// Takes what it has counted.
  package func clear() {
    _ = chost_counter_take(descriptor.rawValue)
  }
}
