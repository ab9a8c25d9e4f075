import Host

/// What Gunyah's machines of a fleet share from the start: queues and doorbells, which each of them finds in its device
/// tree by a label.
///
/// A plain value, which can be coded: Documentation/Fleet.md has the form.
public struct GunyahConfiguration: Equatable, Sendable {
  /// The name of the machine that may make others, or nil: the first one that finds Gunyah.
  public var primary: String?
  /// The pairs of message queues.
  public var queues: [QueuePair] = []
  /// What one machine rings and another one hears.
  public var doorbells: [Doorbell] = []
  /// Whether a machine that the primary one makes may start from an image that is shared, and not lent, as debug
  /// variants of the resource manager have it.
  public var allowsSharedImages = false
  /// The path of the file that gets each call of a machine's and each message of the resource manager's as a line of
  /// JSON, or none.
  public var transcript: String?

  /// Nothing is shared.
  public init() {}

  /// A message queue in each direction between two machines.
  public struct QueuePair: Equatable, Sendable {
    /// By which both machines find it: no other pair of theirs has it.
    public var label: UInt32
    /// The names of both machines.
    public var machines: [String]
    /// How many messages each queue has room for, 1 to 255.
    public var depth = 8
    /// How many bytes a message has at most, 1 to 1,023.
    public var messageSize = 240

    /// A pair with the defaults for all else.
    public init(label: UInt32, machines: [String]) {
      self.label = label
      self.machines = machines
    }
  }

  /// A doorbell that one machine rings and another one hears.
  public struct Doorbell: Equatable, Sendable {
    /// By which both machines find it: no other doorbell of theirs has it.
    public var label: UInt32
    /// The name of the machine that rings.
    public var source: String
    /// The name of the machine that hears.
    public var receiver: String
    /// Whether the one that rings may clear it, too.
    public var sourceCanClear = false

    /// A doorbell that its receiver alone clears.
    public init(label: UInt32, source: String, receiver: String) {
      self.label = label
      self.source = source
      self.receiver = receiver
    }
  }
}

extension GunyahConfiguration: Codable {
  enum Key: String, CaseIterable {
    case primary, queues, doorbells, allowsSharedImages, transcript
  }

  /// - Throws: `DecodingError`, which says with its path what is unknown or of another form.
  public init(from decoder: any Decoder) throws {
    self.init()
    let object = try CodedObject(decoder, keys: Key.allCases.map(\.rawValue))
    try object.read("primary", into: &primary)
    try object.read("queues", into: &queues)
    try object.read("doorbells", into: &doorbells)
    try object.read("allowsSharedImages", into: &allowsSharedImages)
    try object.read("transcript", into: &transcript)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encodeIfPresent(primary, forKey: "primary")
    try container.encode(queues, forKey: "queues")
    try container.encode(doorbells, forKey: "doorbells")
    try container.encode(allowsSharedImages, forKey: "allowsSharedImages")
    try container.encodeIfPresent(transcript, forKey: "transcript")
  }
}

extension GunyahConfiguration.QueuePair: Codable {
  /// - Throws: `DecodingError`, which says with its path what is missing, unknown or of another form.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: ["label", "machines", "depth", "messageSize"])
    self.init(label: try object.value("label"), machines: try object.value("machines"))
    try object.read("depth", into: &depth)
    try object.read("messageSize", into: &messageSize)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(label, forKey: "label")
    try container.encode(machines, forKey: "machines")
    try container.encode(depth, forKey: "depth")
    try container.encode(messageSize, forKey: "messageSize")
  }
}

extension GunyahConfiguration.Doorbell: Codable {
  /// - Throws: `DecodingError`, which says with its path what is missing, unknown or of another form.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: ["label", "source", "receiver", "sourceCanClear"])
    self.init(
      label: try object.value("label"),
      source: try object.value("source"),
      receiver: try object.value("receiver")
    )
    try object.read("sourceCanClear", into: &sourceCanClear)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(label, forKey: "label")
    try container.encode(source, forKey: "source")
    try container.encode(receiver, forKey: "receiver")
    try container.encode(sourceCanClear, forKey: "sourceCanClear")
  }
}
