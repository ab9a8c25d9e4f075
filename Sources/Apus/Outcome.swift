import Host

/// How a machine ended.
///
/// One value from which the exit status, the report and the harness all read.
public struct Outcome: Equatable, Sendable {
  /// Why.
  public let end: End
  /// In words, for a person: one line, for any terminal.
  public let message: String
  /// What in the configuration has to change, where that is why.
  public internal(set) var problem: ConfigurationError.Problem?
  /// What the guest wrote to its port `virtme.ret`, 0 to 255: the exit status that it says it has. Nil where it wrote
  /// nothing or something else.
  public internal(set) var guestStatus: Int32?

  /// The ends that there are.
  public enum End: Equatable, Sendable {
    /// The guest asked for power-off.
    case poweredOff
    /// The guest asked for a reset, and the machine was to end then.
    case reset
    /// The guest reported a panic.
    case panicked
    /// The time was over.
    case timedOut
    /// The guest did what no machine could go on from.
    case guestFault(GuestFault)
    /// The host failed.
    case hostFailure
    /// An input file that is there cannot be used: it is damaged, of another kind, or does not fit.
    case badInput
    /// An input file cannot be found or read.
    case inputNotFound
    /// An output file cannot be written.
    case cannotCreate
    /// The owner stopped it.
    case stopped
    /// The process got a signal that asks for its end.
    case interrupted(signal: Int32)
  }

  init(_ end: End, _ message: String) {
    self.end = end
    self.message = message.plain
  }
}

extension Outcome {
  /// The exit status of `apus run`: ``guestStatus`` where the guest powered off and gave one, and the end's otherwise.
  public var exitStatus: Int32 {
    if end == .poweredOff, let guestStatus { return guestStatus }
    return end.exitStatus
  }
}

extension Outcome.End {
  /// The exit status of `apus run` unless the guest gave one, stable for scripts. Numbers from `<sysexits.h>` where it
  /// has one, 124 as timeout(1).
  public var exitStatus: Int32 {
    switch self {
    case .poweredOff, .stopped: 0
    case .badInput: 65
    case .inputNotFound: 66
    case .hostFailure: 71
    case .cannotCreate: 73
    case .reset: 80
    case .panicked: 81
    case .guestFault: 82
    case .timedOut: 124
    case .interrupted(let signal): 128 + signal
    }
  }

  /// The name in reports, stable for scripts.
  public var name: String {
    switch self {
    case .poweredOff: "powered-off"
    case .stopped: "stopped"
    case .badInput: "bad-input"
    case .inputNotFound: "input-not-found"
    case .hostFailure: "host-failure"
    case .cannotCreate: "cannot-create"
    case .reset: "reset"
    case .panicked: "panicked"
    case .guestFault: "guest-fault"
    case .timedOut: "timed-out"
    case .interrupted: "interrupted"
    }
  }
}

/// A guest that did what no machine can go on from, and the registers of the vCPU that did it.
public struct GuestFault: Error, Equatable, Sendable, Encodable {
  /// What it did.
  public let reason: String
  /// The vCPU's number.
  public let cpu: Int
  /// The registers, in the order to print them.
  public let registers: [Register]

  /// One register.
  public struct Register: Equatable, Sendable, Encodable {
    /// The architecture's name.
    public let name: String
    /// What it holds, or nil where the guest has never set it.
    public let value: UInt64?
  }

  /// The fault as lines of text: what happened, as ``Outcome/message`` has it too, then the registers.
  public var lines: [String] { ["vCPU \(cpu) \(reason)"] + registerLines }

  /// The registers as lines of text.
  public var registerLines: [String] {
    var lines: [String] = []
    for row in stride(from: 0, to: registers.count, by: 4) {
      let cells = registers[row..<min(row + 4, registers.count)].map { register in
        let name = String(repeating: " ", count: max(0, 6 - register.name.utf8.count)) + register.name
        let digits = register.value.map { String($0, radix: 16) } ?? ""
        let padding = register.value == nil ? "       (not set)" : String(repeating: "0", count: 16 - digits.utf8.count)
        return name + " " + padding + digits
      }
      lines.append(cells.joined(separator: " "))
    }
    return lines
  }
}
