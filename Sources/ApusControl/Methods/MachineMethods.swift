/// The methods and notices of the control socket, each with what goes over the wire.
public enum Control {}

extension Control {
  /// What a machine does.
  public enum State: String, ControlEnumeration {
    /// It has not begun, or begins anew.
    case starting
    /// Its vCPUs run.
    case running
    /// Its vCPUs or devices are about to wait.
    case pausing
    /// Its vCPUs and devices wait.
    case paused
    /// It has ended.
    case ended
  }

  /// Begins a conversation: which version of the protocol is spoken. A client that asks first never misunderstands.
  public enum Hello: ControlMethod {
    public static let name = "hello"
    public static let summary = "Says which version of the protocol is spoken, and refuses one that is not."

    public struct Parameters: ControlRecord {
      /// The version that the client speaks.
      public var version: Int?

      public init() {}

      public init(version: Int) {
        self.version = version
      }

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("version", &version, "The version that the client speaks.")
      }
    }

    public struct Answer: ControlRecord {
      /// ``ControlProtocol/version`` of the server.
      public var version = ControlProtocol.version
      /// The version of Apus.
      public var apus = ""

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("version", &version, "The version of the protocol.")
        try fields.field("apus", &apus, "The version of Apus.")
      }
    }
  }

  /// What the machine is.
  public enum Info: ControlMethod {
    public static let name = "info"
    public static let summary = "What the machine is and does."

    public struct Answer: ControlRecord {
      /// The version of Apus.
      public var apus = ""
      /// The version of the protocol.
      public var version = ControlProtocol.version
      /// The machine's name.
      public var name = ""
      /// The machine's identity.
      public var uuid = ""
      /// The number of its process.
      public var pid: Int32 = 0
      /// What it does.
      public var state = State.starting
      /// Nanoseconds.
      public var uptime: UInt64 = 0
      /// How often it was started: 1, and one more for each reboot.
      public var boots = 0
      /// How many vCPUs.
      public var cpus = 0
      /// Bytes.
      public var memory: UInt64 = 0
      /// Its hot-plug memory.
      public var regions: [MemoryRegion] = []
      /// The names of its virtio devices.
      public var devices: [String] = []

      /// Bytes of RAM with what is plugged of hot-plug memory; the most there can be where the machine says more.
      public var wholeMemory: UInt64 {
        regions.reduce(memory) { sum, region in
          let (more, isTooMuch) = sum.addingReportingOverflow(region.plugged)
          return isTooMuch ? .max : more
        }
      }

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("apus", &apus, "The version of Apus.")
        try fields.field("version", &version, "The version of the protocol.")
        try fields.field("name", &name, "The machine's name.")
        try fields.field("uuid", &uuid, "The machine's identity.")
        try fields.field("pid", &pid, "The number of its process.")
        try fields.field("state", &state, "What it does.")
        try fields.field("uptime", &uptime, "Nanoseconds since its start.")
        try fields.field("boots", &boots, "How often it was started: 1, and one more for each reboot.")
        try fields.field("cpus", &cpus, "How many vCPUs.")
        try fields.field("memory", &memory, "Bytes of RAM, without hot-plug memory.")
        try fields.field("regions", &regions, "Its hot-plug memory.")
        try fields.field("devices", &devices, "The names of its virtio devices.")
      }
    }
  }

  /// What the machine has done.
  public enum Statistics: ControlMethod {
    public static let name = "statistics"
    public static let summary = "What the machine and its devices have done so far in the present boot."

    public struct Answer: ControlRecord {
      /// What it does.
      public var state = State.starting
      /// How often it was started: 1, and one more for each reboot.
      public var boots = 0
      /// How often each vCPU has come back to user space.
      public var exits: [UInt64] = []
      /// The virtio devices, with the keys that a report has for each.
      public var devices: ControlJSON = ControlJSON(text: "[]")

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("state", &state, "What it does.")
        try fields.field("boots", &boots, "How often it was started: 1, and one more for each reboot.")
        try fields.field("exits", &exits, "How often each vCPU has come back to user space.")
        try fields.field("devices", &devices, "The virtio devices, with the keys that a report has for each.")
      }
    }
  }

  /// What a change of the state has come to.
  public struct StateAnswer: ControlRecord {
    /// What the machine does now.
    public var state = State.running

    public init() {}

    public init(_ state: State) {
      self.state = state
    }

    public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("state", &state, "What the machine does now.")
    }
  }

  /// Has the machine wait.
  public enum Pause: ControlMethod {
    public typealias Answer = StateAnswer
    public static let name = "pause"
    public static let summary =
      "Has vCPUs and devices wait; the answer comes when all do. No error where they do already."
  }

  /// Has the machine go on.
  public enum Resume: ControlMethod {
    public typealias Answer = StateAnswer
    public static let name = "resume"
    public static let summary = "Has a paused machine go on. No error where it runs already."
  }

  /// Resets the machine.
  public enum Reset: ControlMethod {
    public static let name = "reset"
    public static let summary =
      "Resets the machine at once, as the guest may: it starts anew, or ends where it was not to boot again."
  }

  /// Presses the power button.
  public enum PowerButton: ControlMethod {
    public static let name = "powerButton"
    public static let summary = """
      Asks the guest to shut down, by a system power notification of its SCMI platform; refused where there is none, or \
      where the guest has not asked to be notified.
      """
  }

  /// Powers the machine off.
  public enum PowerOff: ControlMethod {
    public static let name = "powerOff"
    public static let summary =
      "Ends the machine as if the guest had powered off: what it has written is delivered first."
  }

  /// Ends the machine.
  public enum Kill: ControlMethod {
    public static let name = "kill"
    public static let summary = "Ends the machine at once, as Ctrl-A x does."
  }

  /// Tells what can be asked.
  public enum Schema: ControlMethod {
    public static let name = "schema"
    public static let summary = "This schema: an OpenRPC document."

    public struct Answer: ControlRecord {
      /// The document.
      public var schema = ControlJSON(text: "{}")

      public init() {}

      public init(_ schema: ControlJSON) {
        self.schema = schema
      }

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("schema", &schema, "The document.")
      }
    }
  }
}
