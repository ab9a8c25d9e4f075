internal import Apus
internal import Synchronization

/// Ends a guest that runs too long.
package final class GuestClock: Sendable {
  private let passed: Flag
  private let task: Task<Void, any Error>

  private final class Flag: Sendable {
    let isSet = Atomic(false)
  }

  /// Counts from now on, as the guest's other limits do.
  package init(_ guest: Guest, limit: Duration) {
    let passed = Flag()
    self.passed = passed
    task = Task {
      try await guest.sleep(through: limit)
      passed.isSet.store(true, ordering: .releasing)
      guest.machine.stop()
    }
  }

  /// Whether the time was over before the guest's end.
  package var hasPassed: Bool { passed.isSet.load(ordering: .acquiring) }

  /// Lets the guest run on.
  package func cancel() { task.cancel() }
}
