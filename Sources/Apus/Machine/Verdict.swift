import Host
internal import Synchronization

/// How the machine ends: the first to say wins, and the device thread is woken.
final class Verdict: Sendable {
  private let outcome = Mutex<Outcome?>(nil)

  /// Rings when there is a verdict.
  let doorbell: Doorbell

  init() throws(HostError) {
    doorbell = try Doorbell()
  }

  /// Ends the machine, unless something else has ended it already. From any thread.
  func give(_ verdict: Outcome) {
    let isFirst = outcome.withLock { outcome in
      guard outcome == nil else { return false }
      outcome = verdict
      return true
    }
    if isFirst { doorbell.ring() }
  }

  /// The verdict, where there is one.
  var given: Outcome? { outcome.withLock { $0 } }
}
