extension Control {
  /// An agent of the SCMI platform.
  public struct SCMIAgent: ControlRecord {
    /// As the platform's file has it.
    public var name = ""
    /// Whether it may change the permissions of others.
    public var trusted = false
    /// Whether it is this machine.
    public var own = false
    /// The numbers of the protocols that it has.
    public var protocols: [UInt8] = []

    public init() {}

    public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("name", &name, "Its name.")
      try fields.field("trusted", &trusted, "Whether it may change the permissions of others.")
      try fields.field("own", &own, "Whether it is this machine.")
      try fields.field("protocols", &protocols, "The numbers of the protocols that it has.")
    }
  }

  /// The platform's agents.
  public enum SCMIAgents: ControlMethod {
    public static let name = "scmi.agents"
    public static let summary = "The agents of the SCMI platform."

    public struct Answer: ControlRecord {
      /// The agents, in the order of the platform's file.
      public var agents: [SCMIAgent] = []

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("agents", &agents, "The agents, in the order of the platform's file.")
      }
    }
  }

  /// What holds of a resource of the SCMI platform.
  public struct SCMIResource: ControlRecord {
    /// Kind and name, such as clocks/uart.
    public var name = ""
    /// Hz, level, microvolts, power state, power cap, a sensor's reading, or 1 in reset.
    public var value: Int64?
    /// Whether a clock or a regulator is on.
    public var enabled: Bool?
    /// A clock's parent.
    public var parent: String?
    /// How often a reset domain was reset.
    public var resets: UInt64?

    public init() {}

    public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("name", &name, "Kind and name, such as clocks/uart.")
      try fields.field(
        "value",
        &value,
        "Hz, level, microvolts, power state, power cap, a sensor's reading, or 1 in reset."
      )
      try fields.field("enabled", &enabled, "Whether a clock or a regulator is on.")
      try fields.field("parent", &parent, "A clock's parent.")
      try fields.field("resets", &resets, "How often a reset domain was reset.")
    }
  }

  /// The platform's resources.
  public enum SCMIResources: ControlMethod {
    public static let name = "scmi.resources"
    public static let summary = "The resources of the SCMI platform, with what holds of each."

    public struct Parameters: ControlRecord {
      /// One kind alone, by its key in platform files, such as clocks.
      public var kind: String?

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("kind", &kind, "One kind alone, by its key in platform files, such as clocks.")
      }
    }

    public struct Answer: ControlRecord {
      /// The resources, by kind.
      public var resources: [SCMIResource] = []

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("resources", &resources, "The resources, by kind.")
      }
    }
  }

  /// What an agent has asked for of a resource.
  public struct SCMIVote: ControlRecord {
    /// Who it is about, by the name in the platform's file.
    public var agent = ""
    /// What it may do with the resource: none, read or full.
    public var access = ""
    /// The value that it asked for.
    public var value: Int64?
    /// Whether it asked for on or for off.
    public var on: Bool?
    /// The lowest performance level that it allows.
    public var lowest: UInt32?
    /// The highest performance level that it allows.
    public var highest: UInt32?

    public init() {}

    public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("agent", &agent, "The agent.")
      try fields.field("access", &access, "What it may do with the resource: none, read or full.")
      try fields.field("value", &value, "The value that it asked for.")
      try fields.field("on", &on, "Whether it asked for on or for off.")
      try fields.field("lowest", &lowest, "The lowest performance level that it allows.")
      try fields.field("highest", &highest, "The highest performance level that it allows.")
    }
  }

  /// One resource by its name.
  public struct SCMIResourceName: ControlRecord {
    /// Kind and name, such as clocks/uart.
    public var resource = ""

    public init() {}

    public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("resource", &resource, "Kind and name, such as clocks/uart.")
    }
  }

  /// One resource with the agents' votes.
  public enum SCMIRead: ControlMethod {
    public typealias Parameters = SCMIResourceName
    public static let name = "scmi.read"
    public static let summary = "What holds of one resource, and what each agent has asked for."

    public struct Answer: ControlRecord {
      /// What holds.
      public var resource = SCMIResource()
      /// The agents that have it, and what each has asked for.
      public var votes: [SCMIVote] = []

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("resource", &resource, "What holds.")
        try fields.field("votes", &votes, "The agents that have it, and what each has asked for.")
      }
    }
  }

  /// Changes a resource by the platform itself.
  public enum SCMISet: ControlMethod {
    public typealias Answer = SCMIResource
    public static let name = "scmi.set"
    public static let summary = """
      Changes a resource as the platform itself may, whatever the votes are: a sensor's reading, a clock's rate. Who \
      listens is told.
      """

    public struct Parameters: ControlRecord {
      /// Kind and name, such as sensors/board.
      public var resource = ""
      /// Hz, level, microvolts, power state, power cap, reading, or 1 for in reset.
      public var value: Int64 = 0

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("resource", &resource, "Kind and name, such as sensors/board.")
        try fields.field("value", &value, "Hz, level, microvolts, power state, power cap, reading, or 1 for in reset.")
      }
    }
  }

  /// Asks for something in an agent's name.
  public enum SCMIVoteFor: ControlMethod {
    public static let name = "scmi.vote"
    public static let summary = """
      Asks for a resource's value or state in the name of an agent that is no machine's, such as the trusted one, as its \
      driver would.
      """

    public struct Parameters: ControlRecord {
      /// The agent; the trusted one by default.
      public var agent: String?
      /// Kind and name, such as clocks/uart.
      public var resource = ""
      /// Hz, level, microvolts, power state or power cap.
      public var value: Int64?
      /// Whether a clock or a regulator is to be on.
      public var on: Bool?

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("agent", &agent, "The agent; the trusted one by default.")
        try fields.field("resource", &resource, "Kind and name, such as clocks/uart.")
        try fields.field("value", &value, "Hz, level, microvolts, power state or power cap.")
        try fields.field("on", &on, "Whether a clock or a regulator is to be on.")
      }
    }

    public struct Answer: ControlRecord {
      /// What the platform answered, such as SUCCESS; nothing where a rule withholds it.
      public var status: String?

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field(
          "status",
          &status,
          "What the platform answered, such as SUCCESS; nothing where a rule withholds it."
        )
      }
    }
  }

  /// Gives or takes a resource.
  public enum SCMIPermit: ControlMethod {
    public static let name = "scmi.permit"
    public static let summary = "Says what an agent may do with a resource, as a trusted agent may."

    public struct Parameters: ControlRecord {
      /// Who it is about, by the name in the platform's file.
      public var agent = ""
      /// Kind and name, such as clocks/uart.
      public var resource = ""
      /// none, read or full.
      public var access = ""

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("agent", &agent, "The agent.")
        try fields.field("resource", &resource, "Kind and name, such as clocks/uart.")
        try fields.field("access", &access, "none, read or full.")
      }
    }
  }

  /// A rule of misbehaviour that holds.
  public struct SCMIRule: ControlRecord {
    /// As the platform's file has it.
    public var name = ""
    /// How many messages it has matched.
    public var matches: UInt64 = 0

    public init() {}

    public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("name", &name, "Its name.")
      try fields.field("matches", &matches, "How many messages it has matched.")
    }
  }

  /// The rules that hold.
  public enum SCMIRules: ControlMethod {
    public static let name = "scmi.rules"
    public static let summary = "The rules of misbehaviour that hold, in their order."

    public struct Answer: ControlRecord {
      /// In the order in which they are looked at.
      public var rules: [SCMIRule] = []

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("rules", &rules, "The rules.")
      }
    }
  }

  /// Has one more rule hold.
  public enum SCMIRuleAdd: ControlMethod {
    public static let name = "scmi.rules.add"
    public static let summary = "Has the platform misbehave by one more rule from now on."

    public struct Parameters: ControlRecord {
      /// The rule, as in a platform file.
      public var rule = ControlJSON(text: "{}")

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("rule", &rule, "The rule, as in a platform file.")
      }
    }
  }

  /// Removes rules.
  public enum SCMIRuleRemove: ControlMethod {
    public static let name = "scmi.rules.remove"
    public static let summary = "Removes every rule of a name."

    public struct Parameters: ControlRecord {
      /// By which it was added.
      public var name = ""

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("name", &name, "The rule's name.")
      }
    }
  }

  /// Does what a script may do.
  public enum SCMIStep: ControlMethod {
    public static let name = "scmi.step"
    public static let summary = """
      Does at once what a step of a platform file's script does: set, setSensor, systemPower, setPermission, resetAgent, \
      notification, errorEvent, addRule, removeRule, interrupt.
      """

    public struct Parameters: ControlRecord {
      /// The step, as in a platform file, without its time.
      public var step = ControlJSON(text: "{}")

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("step", &step, "The step, as in a platform file, without its time.")
      }
    }
  }

  /// Subscribes to the transcript.
  public enum SCMITranscriptSubscribe: ControlMethod {
    public typealias Answer = SubscriptionAnswer
    public static let name = "scmi.transcript.subscribe"
    public static let summary = "Tells each message of the SCMI platform, by 'scmi.transcript', from now on."
  }

  /// A message of the SCMI platform.
  public enum SCMITranscript: ControlNotice {
    public static let name = "scmi.transcript"
    public static let summary = "A message has come to the SCMI platform or gone from it."

    public struct Content: ControlRecord {
      /// The record, as in a transcript's file.
      public var record = ControlJSON(text: "{}")

      public init() {}

      public init(record: ControlJSON) {
        self.record = record
      }

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("record", &record, "The record, as in a transcript's file.")
      }
    }
  }
}
