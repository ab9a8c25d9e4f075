import Host
internal import Synchronization

/// How the machine ends: the first to say wins, and the device thread is woken.
final class Verdict: Sendable {
  private let outcome = Mutex<Outcome?>(nil)

  /// Signalled when there is a verdict.
  let event: EventDescriptor

  init() throws(HostError) {
    event = try EventDescriptor()
  }

  /// Ends the machine, unless something else has ended it already. From any thread.
  func give(_ verdict: Outcome) {
    let isFirst = outcome.withLock { outcome in
      guard outcome == nil else { return false }
      outcome = verdict
      return true
    }
    if isFirst { event.signal() }
  }

  /// The verdict, where there is one.
  var given: Outcome? { outcome.withLock { $0 } }
}
