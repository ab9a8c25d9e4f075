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
  private let server: Server

  /// What changes, for whoever outlives the machine's control.
  private final class Server: Sendable {
    let facts: Mutex<Facts>
    let running = Mutex<ControlServer?>(nil)
    let address = Mutex<String?>(nil)

    init(_ configuration: Configuration) {
      var facts = Facts()
      for wish in configuration.hotplugMemory { facts.regions.append(Control.MemoryRegion(wish)) }
      self.facts = Mutex(facts)
    }
  }

  /// What events have told of the machine, for answers that do not wait for the device thread.
  struct Facts {
    var state = Control.State.starting
    var regions: [Control.MemoryRegion] = []

    mutating func take(_ event: MachineEvent.Kind, reboots: Bool) {
      switch event {
      case .state(let new): state = Control.State(new)
      case .ended(let outcome):
        state = outcome.end == .reset && reboots ? .starting : .ended
        for index in regions.indices { regions[index].plugged = 0 }
      case .hotplugMemory(let name, let requested, let plugged):
        for index in regions.indices where regions[index].name == name {
          (regions[index].requested, regions[index].plugged) = (requested, plugged)
        }
      case .deviceReset, .deviceFault, .backEnd, .platformRequest: break
      }
    }
  }

  /// Answers from now on who asks within the process: a debugger's user, say.
  init(_ checked: CheckedConfiguration, mailbox: Mailbox, events: MachineEvents, progress: RunProgress) {
    self.checked = checked
    self.mailbox = mailbox
    self.events = events
    self.progress = progress
    server = Server(checked.configuration)
    let reboots = checked.configuration.onReset == .reboot
    // It goes with the machine's events, which are this machine's alone.
    _ = events.listen { [server] event in
      server.facts.withLock { $0.take(event.kind, reboots: reboots) }
    }
  }

  /// Listens, where the configuration says so.
  ///
  /// - Throws: ``ConfigurationError`` for a socket that cannot be made, or what the host refuses.
  func listen(_ logger: Logger) throws {
    guard let control = checked.configuration.control else { return }
    let listener: ControlListener
    do throws(ListeningError) {
      listener = try ControlListener(.init(control), machine: checked.configuration.name)
    } catch {
      throw ConfigurationError(error.kind, .property(.control), .init(error))
    }
    if let name = listener.name {
      logger.info("the machine is '\(name)' to 'apus control'")
    } else {
      logger.notice("'apus list' does not show this machine: the folder of machines cannot be made")
    }
    server.address.withLock { $0 = listener.name ?? listener.path }
    let running = try ControlServer(listener, { [self] in table }) { logger.warning("\($0)") }
    server.running.withLock { $0 = running }
  }

  /// What gdb's `monitor` knows: every method that answers at once.
  var monitorCommands: [MonitorCommands.Command] {
    let table = table
    return ControlCatalogue.methods.filter { !$0.isSubscription }.map { method in
      MonitorCommands.Command(name: method.name, help: method.gist) { words in
        do throws(ControlError) {
          return try table.answer([method.name] + words, within: Self.monitorPatience).map(\.plain).joined(
            separator: "\n"
          )
        } catch {
          return "error: \(error)".plain
        }
      }
    }
  }

  /// How long a debugger's user waits for what the device thread has to answer.
  private static let monitorPatience = Duration.seconds(2)

  /// How clients find the socket: the machine's name in the folder of machines, or the socket's path.
  var address: String? { server.address.withLock { $0 } }

  /// Nothing is answered any more.
  func end() {
    server.running.withLock { $0.take() }?.end()
  }

  /// What is known of the machine, as far as anybody has told.
  var facts: Facts { server.facts.withLock { $0 } }

  private var table: ControlTable {
    var table = ControlTable()
    addMachine(to: &table)
    addConsole(to: &table)
    addEvents(to: &table)
    addSCMI(to: &table)
    addDevices(to: &table)
    addMemory(to: &table)
    addSnapshot(to: &table)
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
      case .pausing: .pausing
      case .paused: .paused
      }
  }
}
