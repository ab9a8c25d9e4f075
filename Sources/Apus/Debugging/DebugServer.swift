import Debugger
import Host
import HostBackends
import Logging
internal import Synchronization

/// Lets debuggers connect to a machine, one after the other, on a thread of its own.
///
/// It never runs on the device thread and never waits for it: whatever a debugger does, devices go on. It is there from
/// before the first boot to after the last.
final class DebugServer: Sendable {
  let machine: DebuggedMachine
  private let listener: DebugListener
  private let mailbox: Mailbox
  private let thread = Mutex<HostThread?>(nil)

  /// How many bytes are taken at once.
  private static let pieceSize = 4096
  /// How long a debugger has to take what it is told at the end, in milliseconds.
  private static let farewell: Int32 = 200

  /// Listens.
  ///
  /// - Parameters:
  ///   - clock: that stands while a debugger has the machine stopped.
  ///   - commands: of gdb's `monitor`.
  /// - Throws: ``ConfigurationError`` where nobody can connect, or ``HostError``.
  init(
    _ debugger: Configuration.Debugger,
    _ configuration: Configuration,
    mailbox: Mailbox,
    clock: StoppableClock,
    commands: [MonitorCommands.Command],
    logger: Logger
  ) throws {
    do throws(ListeningError) {
      listener = try DebugListener(DebugListener.Place(debugger.address))
    } catch {
      throw ConfigurationError(error.kind, .property(.debugger), .init(error))
    }
    self.mailbox = mailbox
    machine = try DebuggedMachine(
      threadCount: configuration.cpuCount,
      waits: debugger.waits,
      clock: clock,
      commands: MonitorCommands(commands)
    )
    let wait = debugger.waits ? "the guest waits for a debugger" : "a debugger may connect"
    logger.notice("\(wait): target remote \(listener.address)")
    let thread = try HostThread(name: "debugger") { self.serve() }
    self.thread.withLock { $0 = thread }
  }

  /// The machine has ended: tells a debugger, and waits for the thread's end.
  func end(_ outcome: Outcome) {
    machine.end(.init(outcome))
    thread.withLock { $0.take() }?.join()
  }

  private func serve() {
    while machine.ended == nil {
      machine.event.value.wait(beside: listener.rawValue)
      machine.event.value.clear()
      if let peer = listener.accept() { talk(peer) }
    }
  }

  /// One debugger's session, from its first byte to its last.
  private func talk(_ peer: DebugPeer) {
    var session = DebugSession(target: machine)
    var output: [UInt8] = []
    var isThere = true
    while isThere {
      output += session.takeOutput()
      isThere = flush(&output, to: peer)
      if session.end != nil && output.isEmpty || !isThere { break }
      // What it has not taken yet keeps it from sending more.
      peer.wait(
        wantsRoom: !output.isEmpty,
        event: machine.event.value,
        milliseconds: session.end == nil ? -1 : Self.farewell
      )
      if session.end != nil {
        output += session.takeOutput()
        _ = flush(&output, to: peer)
        break
      }
      machine.event.value.clear()
      if let event = machine.stopIfComplete() { session.machineStopped(event) }
      if let end = machine.ended { session.machineEnded(end) }
      guard output.isEmpty, session.end == nil else { continue }
      if let bytes = peer.receive(atMost: Self.pieceSize) { session.receive(bytes) } else { isThere = false }
    }
    if session.end == .killed { mailbox.order(Outcome(.stopped, "ended by its debugger")) }
    letGo()
  }

  /// Sends what there is room for.
  ///
  /// - Returns: false where the debugger has gone.
  private func flush(_ output: inout [UInt8], to peer: DebugPeer) -> Bool {
    while !output.isEmpty {
      guard let count = peer.send(output[...]) else { return false }
      if count == 0 { return true }
      output.removeFirst(count)
    }
    return true
  }

  /// The debugger has gone: the machine goes on without a trace of it.
  private func letGo() {
    while machine.isInvolved, machine.ended == nil {
      machine.stop()
      while machine.ended == nil {
        if machine.stopIfComplete() != nil {
          machine.letGo()
          break
        }
        machine.event.value.wait()
        machine.event.value.clear()
      }
    }
  }
}

extension DebugListener.Place {
  init(_ address: Configuration.Debugger.Address) {
    self =
      switch address {
      case .socket(let path): .socket(path: path)
      case .port(let number): .port(number)
      }
  }
}

extension DebugSession.MachineEnd {
  /// What a debugger is told of an outcome: the exit status that the command has, or a signal where it came from
  /// outside.
  init(_ outcome: Outcome) {
    // SIGTERM's number.
    self =
      switch outcome.end {
      case .stopped: .killed(15)
      case .interrupted(let signal): .killed(UInt8(truncatingIfNeeded: signal))
      default: .exited(UInt8(truncatingIfNeeded: outcome.exitStatus))
      }
  }
}
