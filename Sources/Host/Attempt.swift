internal import CHost
internal import Synchronization

/// Work that may never come to an end.
package enum Attempt {
  /// Does it on a thread of its own.
  ///
  /// - Parameter limit: how long it is waited for.
  /// - Returns: whether it came to an end. Where it did not, the thread is left alone with it.
  package static func run(within limit: Duration, _ body: @escaping @Sendable () -> Void) -> Bool {
    let progress = Progress()
    guard
      (try? HostThread.startDetached(name: "attempt") {
        body()
        progress.isDone.store(true, ordering: .releasing)
      }) != nil
    else { return false }
    let deadline = HostClock.monotonic + limit.nanoseconds
    while !progress.isDone.load(ordering: .acquiring) {
      if HostClock.monotonic >= deadline { return false }
      chost_pause(1)
    }
    return true
  }

  private final class Progress: Sendable {
    let isDone = Atomic(false)
  }
}
