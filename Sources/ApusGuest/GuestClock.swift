internal import Apus
internal import ApusGuest
internal import Synchronization
internal import TestLimits

/// Ends a guest that runs too long.
final class GuestClock: Sendable {
  private let passed: Flag
  private let task: Task<Void, any Error>

  private final class Flag: Sendable {
    let isSet = Atomic(false)
  }

  init(_ guest: Guest, limit: Duration) {
    let passed = Flag()
    self.passed = passed
    task = Task {
      let limit = TestLimit(limit)
      while !limit.hasPassed { try await Task.sleep(for: .milliseconds(500)) }
      passed.isSet.store(true, ordering: .releasing)
      guest.machine.stop()
    }
  }

  /// Whether the time was over before the guest's end.
  var hasPassed: Bool { passed.isSet.load(ordering: .acquiring) }

  func cancel() { task.cancel() }
}
