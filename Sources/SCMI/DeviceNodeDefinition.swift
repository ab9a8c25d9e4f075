/// What a property of a device tree's node holds.
public enum PropertyValue: Equatable, Sendable {
  /// It is there, without a value.
  case flag
  /// Texts, each with the zero that ends it.
  case strings([String])
  /// 32 bits each.
  case cells([UInt32])
  /// 64 bits each.
  case wide([UInt64])
  /// Any bytes, as they are.
  case bytes([UInt8])
}

/// What a node of the guest's device tree tells a driver, beyond what drives it.
public struct DeviceNodeDefinition: Sendable {
  /// By name, in the order in which they are written. Names of 1 to 31 characters that a device tree allows.
  public var properties: [(name: String, value: PropertyValue)] = []
  /// What the driver calls a resource (`clock-names`, `…-supply` and so on); otherwise it is the resource's own name.
  public var names: [ResourceName: String] = [:]
  /// Nodes below this one.
  public var children: [ChildDefinition] = []

  public init() {}

  /// How many ``properties`` all consumers of a platform have at most, their children's included: each name is looked
  /// for among those before when the tree is written.
  public static let maximumProperties = 4_096

  /// How many properties it and all below it have.
  package var propertyCount: Int { children.reduce(properties.count) { $0 + $1.node.propertyCount } }
}

/// A node below a device.
public struct ChildDefinition: Sendable {
  /// Characters that a device tree allows, with an address (`@` and hexadecimal digits) where there is one.
  public var name: String
  /// What a driver finds the node by, the most special one first; empty is none.
  public var compatible: [String] = []
  /// What the node uses of the platform.
  public var resources: [ResourceName] = []
  /// Properties, names of resources and nodes below.
  public var node = DeviceNodeDefinition()

  /// What `configure` leaves alone has its default.
  public init(_ name: String, configure: (inout Self) -> Void = { _ in }) {
    self.name = name
    configure(&self)
  }
}

/// A range of scratch memory: what a guest writes there it reads back, and nothing else happens.
public struct RegisterDefinition: Equatable, Sendable {
  /// In `reg-names`; empty is none.
  public var name: String
  /// In bytes, a multiple of 4 from 4 to 1 MiB.
  public var size: UInt32
  /// What the first words hold at the start; the others hold 0.
  public var words: [UInt32]

  public init(_ name: String = "", size: UInt32 = 4_096, words: [UInt32] = []) {
    self.name = name
    self.size = size
    self.words = words
  }

  /// Each range has pages of its own.
  public static let granule: UInt32 = 4_096
  /// The bytes that all ranges of a platform have together, in pages.
  public static let room: UInt64 = 16 << 20

  /// The bytes that it takes of the room.
  public var span: UInt64 { (UInt64(size) + UInt64(Self.granule) - 1) / UInt64(Self.granule) * UInt64(Self.granule) }
}

/// An interrupt line of a device.
public struct InterruptDefinition: Equatable, Sendable {
  /// When the guest is interrupted.
  public enum Trigger: String, CaseIterable, Sendable {
    /// Each step of the script is one interrupt.
    case edge
    /// Pending for as long as the line is asserted.
    case level
  }

  /// In `interrupt-names`; empty is none.
  public var name: String
  /// When the guest is interrupted.
  public var trigger: Trigger

  public init(_ name: String = "", trigger: Trigger = .edge) {
    self.name = name
    self.trigger = trigger
  }

  /// How many lines the devices of a platform have together.
  public static let limit = 64
}
