import Host
internal import Synchronization

/// A machine's vCPUs as the resource manager's thread has them stand for a moment.
protocol StoppableVCPUs: Sendable {
  /// Runs `body` while no vCPU of the machine runs, on any thread, and comes back when it is done.
  func whileStopped(_ body: @escaping @Sendable () -> Void) -> StopResult

  /// Waits until the machine has ended, which somebody else sees to.
  func waitForEnd()

  /// The machine has ended: who waits goes on, and nobody waits again.
  func close()
}

/// What came of the wish that a machine's vCPUs stand.
enum StopResult {
  /// The body ran.
  case done
  /// Not all vCPUs came in time, and the body did not run.
  case busy
  /// The machine has ended: no vCPU runs any longer, and the body did not run.
  case closed
}

/// Those of a machine with a device thread, which is asked for the moment.
final class DeviceThreadVCPUs: StoppableVCPUs {
  private enum State {
    case idle
    /// Somebody waits for the moment.
    case waiting
    /// It is there.
    case running
    case closed
  }

  private struct Moment {
    var state = State.idle
    /// Whether the last body ran.
    var hasRun = false
  }

  private let moment = Mutex(Moment())
  /// Opened once for each wait, also where the machine ends meanwhile.
  private let isOver = Gate()
  private let hasEnded = Gate()
  private let mailbox: Mailbox

  init(_ mailbox: Mailbox) { self.mailbox = mailbox }

  /// By one thread, once.
  func waitForEnd() { hasEnded.wait() }

  func whileStopped(_ body: @escaping @Sendable () -> Void) -> StopResult {
    let isClosed = moment.withLock { moment in
      if moment.state == .closed { return true }
      moment = Moment(state: .waiting)
      return false
    }
    if isClosed { return .closed }
    mailbox.ask { [self] boot in
      guard let boot else { return finish(nil) }
      boot.whileVCPUsWait { isHeld in self.finish(isHeld ? body : nil) }
    }
    isOver.wait()
    return moment.withLock { $0.hasRun ? .done : $0.state == .closed ? .closed : .busy }
  }

  private func finish(_ body: (@Sendable () -> Void)?) {
    let isWanted = moment.withLock { moment in
      guard moment.state == .waiting else { return false }
      moment.state = .running
      return true
    }
    guard isWanted else { return }
    body?()
    moment.withLock { moment in
      moment.hasRun = body != nil
      moment.state = .idle
    }
    isOver.open()
  }

  /// On the device thread, so that no moment is under way.
  func close() {
    let waits = moment.withLock { moment in
      defer { moment.state = .closed }
      return moment.state == .waiting
    }
    if waits { isOver.open() }
    hasEnded.open()
  }
}
