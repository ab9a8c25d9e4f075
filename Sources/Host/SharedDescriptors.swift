// One class for each, not one for any value: a generic class is made at run time, which each start would pay for.

/// An event descriptor that several can hold: it goes with the last of them.
package final class SharedEventDescriptor: Sendable {
  /// The descriptor itself.
  package let value: EventDescriptor

  /// Takes ownership of a descriptor.
  package init(_ value: consuming EventDescriptor) {
    self.value = value
  }
}

/// A timer that several can hold: it goes with the last of them.
package final class SharedTimer: Sendable {
  /// The timer itself.
  package let value: HostTimer

  /// Takes ownership of a timer.
  package init(_ value: consuming HostTimer) {
    self.value = value
  }
}
