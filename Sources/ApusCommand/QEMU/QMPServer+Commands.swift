import Apus
internal import CHost
import Host
import PositionedJSON
import QEMUSyntax
import Synchronization

/// What a client of QEMU's machine protocol may ask for.
extension QMPServer {
  /// How long the machine has to do what was asked of it, in nanoseconds.
  private static let patience: UInt64 = 10_000_000_000

  /// Why a command was refused.
  private struct Refusal: Error {
    var kind = QMPMessage.ErrorClass.generic
    var description: String

    init(_ description: String) {
      self.description = description
    }

    static func notFound(_ command: String) -> Refusal {
      var refusal = Refusal("The command \(command) has not been found")
      refusal.kind = .commandNotFound
      return refusal
    }
  }

  /// The commands, and what each may be given.
  private static let commands: [(name: String, parameters: [String])] = [
    ("qmp_capabilities", ["enable"]), ("query-commands", []), ("query-version", []), ("query-name", []),
    ("query-uuid", []), ("query-status", []), ("query-kvm", []), ("cont", []), ("stop", []), ("system_reset", []),
    ("system_powerdown", []), ("quit", []), ("human-monitor-command", ["command-line", "cpu-index"]),
  ]

  /// Answers one request.
  func answer(_ request: QMPRequest) {
    do throws(Refusal) {
      try check(request)
      if request.command == "quit" {
        // The answer comes before the end.
        status.withLock { $0.wish = .quit }
        send(QMPMessage.success(.nothing, to: request.identifier))
        return machine.stop()
      }
      send(QMPMessage.success(try result(of: request), to: request.identifier))
    } catch {
      send(QMPMessage.failure(error.kind, error.description, to: request.identifier))
    }
  }

  private func check(_ request: QMPRequest) throws(Refusal) {
    let isNegotiated = status.withLock { $0.isNegotiated }
    if !isNegotiated, request.command != "qmp_capabilities" {
      var refusal = Refusal("Expecting capabilities negotiation with 'qmp_capabilities'")
      refusal.kind = .commandNotFound
      throw refusal
    }
    guard let command = Self.commands.first(where: { $0.name == request.command }) else {
      throw .notFound(request.command)
    }
    if isNegotiated, command.name == "qmp_capabilities" {
      var refusal = Refusal("Capabilities negotiation is already complete, command ignored")
      refusal.kind = .commandNotFound
      throw refusal
    }
    for argument in request.arguments where !command.parameters.contains(argument.key) {
      throw Refusal("Parameter '\(argument.key)' is unexpected")
    }
  }

  private func result(of request: QMPRequest) throws(Refusal) -> QMPValue {
    switch request.command {
    case "qmp_capabilities":
      if let enabled = request.arguments.first?.value, enabled.array?.isEmpty != true {
        throw Refusal("there are no capabilities to enable")
      }
      status.withLock { $0.isNegotiated = true }
      return .nothing
    case "query-commands": return .array(Self.commands.map { .object([.init("name", .string($0.name))]) })
    case "query-version": return QMPMessage.versionValue(package: package)
    case "query-name": return .object(name.map { [.init("name", .string($0))] } ?? [])
    case "query-uuid": return .object([.init("UUID", .string("\(machine.uuid)"))])
    case "query-kvm": return .object([.init("enabled", .boolean(true)), .init("present", .boolean(true))])
    case "query-status": return statusValue
    case "cont":
      try waitFor { [machine] in machine.resume($0) }
      status.withLock { $0.isBeforeLaunch = false }
      return .nothing
    case "stop":
      try waitFor { [machine] in machine.pause($0) }
      return .nothing
    case "system_reset": return try reset()
    case "system_powerdown": throw Refusal("the machine has no power button; ask the guest by its console, or 'quit'")
    default: throw humanRefusal(request)
    }
  }

  private var statusValue: QMPValue {
    status.withLock { status in
      let name = status.isBeforeLaunch ? "prelaunch" : status.isPaused ? "paused" : "running"
      return .object([.init("status", .string(name)), .init("running", .boolean(!status.isPaused))])
    }
  }

  private func reset() throws(Refusal) -> QMPValue {
    let isPaused = status.withLock { status in
      if !status.isPaused { status.wish = .reset }
      return status.isPaused
    }
    // A machine that is reset runs, and who stopped it would not expect that.
    guard !isPaused else { throw Refusal("the machine is stopped; 'cont' first") }
    try waitFor { [machine] in machine.reset($0) }
    return .nothing
  }

  private func humanRefusal(_ request: QMPRequest) -> Refusal {
    guard let line = request.arguments.first(where: { $0.key == "command-line" })?.value.string else {
      return Refusal("Parameter 'command-line' is missing")
    }
    if line.hasPrefix("hostfwd_") {
      return Refusal("passt takes ports at its start alone; give hostfwd= to -netdev user or -nic user")
    }
    return Refusal("there is no monitor for people; 'apus control' has one, and query-commands tells what is here")
  }

  /// Has the machine do something, and waits for that.
  private func waitFor(_ ask: (@escaping @Sendable (Bool) -> Void) -> Void) throws(Refusal) {
    let answer = Answer()
    ask { answer.give($0) }
    let deadline = HostClock.monotonic + Self.patience
    while true {
      switch answer.value {
      case true?: return
      case false?: throw Refusal("the machine has ended, or somebody else wanted otherwise")
      case nil:
        guard HostClock.monotonic < deadline else { throw Refusal("the machine does not answer") }
        chost_pause(1)
      }
    }
  }

  /// An answer from another thread.
  private final class Answer: Sendable {
    private let state = Mutex<Bool?>(nil)
    var value: Bool? { state.withLock { $0 } }
    func give(_ value: Bool) { state.withLock { $0 = value } }
  }
}
