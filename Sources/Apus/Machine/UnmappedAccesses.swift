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

  /// Whether the guest goes on.
  var passes: Bool { policy == .zero }

  /// Whether somebody was told already: then an access needs no words. From any thread.
  var isTold: Bool { hasTold.load(ordering: .relaxed) }

  /// Tells of the first access after which the guest went on. From any thread.
  func tell(cpu: Int, _ access: String) {
    guard !hasTold.exchange(true, ordering: .relaxed) else { return }
    logger.notice("vCPU \(cpu) \(access): such reads give 0 and such writes are dropped, and the report counts them")
  }
}
