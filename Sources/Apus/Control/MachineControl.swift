import ApusControl
internal import Glibc
import Host
import HostBackends
internal import Logging
internal import Synchronization

/// The control socket of a machine that runs: what it answers, and who listens.
///
/// Answers come from the socket's own thread where that knows them; what only the device thread knows or does is asked
/// of the ``Mailbox``, so that a device thread that does not answer keeps nobody from killing the machine.
final class MachineControl: Sendable {
  let checked: CheckedConfiguration
  let mailbox: Mailbox
  let events: MachineEvents
  let progress: RunProgress
  let console = ConsoleMonitor()
  private let server = Server()

  /// What changes, for whoever outlives the machine's control.
  private final class Server: Sendable {
    let state = Mutex(Control.State.starting)
    let running = Mutex<ControlServer?>(nil)
  }

  /// Listens, and answers from now on.
  ///
  /// - Throws: ``ConfigurationError`` for a socket that cannot be made, or what the host refuses.
  init(
    _ control: Configuration.Control,
    _ checked: CheckedConfiguration,
    mailbox: Mailbox,
    events: MachineEvents,
    progress: RunProgress,
    logger: Logger
  ) throws {
    self.checked = checked
    self.mailbox = mailbox
    self.events = events
    self.progress = progress
    let listener: ControlListener
    do throws(ControlListener.Failure) {
      listener = try ControlListener(.init(control), machine: checked.configuration.name)
    } catch {
      throw ConfigurationError(error.kind, .property(.control), .init(error))
    }
    if let name = listener.name {
      logger.info("the machine is '\(name)' to 'apus control'")
    } else {
      logger.notice("'apus list' does not show this machine: the folder of machines cannot be made")
    }
    // It goes with the machine's events, which are this machine's alone.
    let reboots = checked.configuration.onReset == .reboot
    _ = events.listen { [server] event in
      if let new = Control.State(event.kind, reboots: reboots) { server.state.withLock { $0 = new } }
    }
    let running = try ControlServer(listener, Self.table(self)) { logger.warning("\($0)") }
    server.running.withLock { $0 = running }
  }

  /// Nothing is answered any more.
  func end() {
    server.running.withLock { $0.take() }?.end()
  }

  /// What the machine does, as far as anybody has told.
  var presentState: Control.State { server.state.withLock { $0 } }

  private static func table(_ control: MachineControl) -> ControlTable {
    var table = ControlTable()
    control.addMachine(to: &table)
    control.addConsole(to: &table)
    control.addEvents(to: &table)
    control.addSCMI(to: &table)
    control.addDevices(to: &table)
    table.on(Control.Schema.self) { _, answer in answer.succeed(.init(ControlCatalogue.document)) }
    table.seal()
    return table
  }

  /// Asks the boot that runs, and answers for it where there is none any more.
  func ask<Method: ControlMethod>(
    _ answer: ControlAnswer<Method>,
    _ body: @escaping @Sendable (Boot) -> Void
  ) {
    mailbox.ask { boot in
      guard let boot else { return answer.fail(.ended, "the machine has ended") }
      body(boot)
    }
  }
}

extension ControlListener.Place {
  fileprivate init(_ control: Configuration.Control) {
    self =
      switch control {
      case .socket(let path): .path(path)
      case .registered: .registered
      }
  }
}

extension Control.State {
  init(_ state: Inspection.State) {
    self =
      switch state {
      case .running: .running
      case .paused: .paused
      }
  }

  /// What an event says of it.
  init?(_ kind: MachineEvent.Kind, reboots: Bool) {
    switch kind {
    case .state(let state): self.init(state)
    case .ended(let outcome): self = outcome.end == .reset && reboots ? .starting : .ended
    default: return nil
    }
  }
}
