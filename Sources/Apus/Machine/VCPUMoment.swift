import Host

/// Moments in which no vCPU runs, for what the monitor changes that no vCPU may use meanwhile. On the device thread.
///
/// A vCPU that waits for the reader of its console, say, does not come, and the others would stand still for it: after
/// a second the moment is given up.
final class VCPUMoment: @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only; the mailbox is for any.

  private let threads: VCPUThreads
  private let mailbox: Mailbox
  private let timer: HostTimer
  /// What is to be done in the next one.
  private var bodies: [(Bool) -> Void] = []
  /// How many there were: an answer to an earlier one comes too late.
  private var count = 0

  /// How long vCPUs are waited for, in nanoseconds.
  private static let limit: UInt64 = 1_000_000_000

  init(_ threads: VCPUThreads, loop: EventLoop, mailbox: Mailbox) throws(HostError) {
    self.threads = threads
    self.mailbox = mailbox
    timer = try HostTimer()
    _ = try loop.add(
      timer.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in
        timer.clear()
        if !bodies.isEmpty { end(isHeld: false) }
      }
    )
  }

  /// Has all vCPUs wait while `body` runs, whether the machine is paused or not.
  ///
  /// - Parameter body: called once, on this thread: true while all wait, false where not all came.
  func run(_ body: @escaping (Bool) -> Void) {
    bodies.append(body)
    guard bodies.count == 1 else { return }
    count += 1
    timer.arm(after: Self.limit)
    threads.hold(for: .monitor) { [self, mailbox, count] isHeld in
      mailbox.ask { _ in self.came(to: count, isHeld: isHeld) }
    }
  }

  private func came(to number: Int, isHeld: Bool) {
    if number == count, !bodies.isEmpty { end(isHeld: isHeld) }
  }

  private func end(isHeld: Bool) {
    timer.disarm()
    let bodies = bodies
    self.bodies = []
    for body in bodies { body(isHeld) }
    threads.release(from: .monitor)
  }
}
