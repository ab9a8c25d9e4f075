internal import Logging
internal import Synchronization

/// What becomes of a guest's accesses to addresses where nothing is, over all boots of a run.
final class UnmappedAccesses: Sendable {
  /// The rule.
  let policy: Configuration.UnmappedPolicy
  private let logger: Logger
  private let hasTold = Atomic(false)

  init(_ policy: Configuration.UnmappedPolicy, logger: Logger) {
    self.policy = policy
    self.logger = logger
  }

  /// Whether the guest goes on; the first that does is told. From any thread.
  func passes(cpu: Int, _ access: String) -> Bool {
    guard policy == .zero else { return false }
    if !hasTold.exchange(true, ordering: .relaxed) {
      logger.notice("vCPU \(cpu) \(access): such reads give 0 and such writes are dropped, and the report counts them")
    }
    return true
  }
}
