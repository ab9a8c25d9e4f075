public import Virtio

// What each device needs to go on elsewhere, beside its queues' positions and its configuration space. How far a
// request has come is in no state: a suspended device has answered what it took, or says here what it still owes.

/// An entropy device's: nothing.
public struct EntropyDeviceState: VersionedState, Equatable {
  public static var kind: String { "virtio-entropy" }
  public static var version: UInt32 { 1 }

  public init() {}
}

/// A block device's.
public struct BlockDeviceState: VersionedState, Equatable {
  public static var kind: String { "virtio-block" }
  public static var version: UInt32 { 1 }

  /// In sectors of 512 bytes: the disk that it goes on with has to be as large.
  public var capacity: UInt64

  public init(capacity: UInt64) {
    self.capacity = capacity
  }
}

/// A network device's.
public struct NetworkDeviceState: VersionedState, Equatable {
  public static var kind: String { "virtio-network" }
  public static var version: UInt32 { 1 }

  /// The offloads that the driver takes packets with now: feature bits (virtio 1.3, 5.1.6.5.6).
  public var guestOffloads: VirtioFeatures
  /// As the driver was told.
  public var isLinkUp: Bool

  public init(guestOffloads: VirtioFeatures, isLinkUp: Bool) {
    self.guestOffloads = guestOffloads
    self.isLinkUp = isLinkUp
  }
}

/// A message about a console device's port that its driver has yet to be sent (virtio 1.3, 5.3.6.2).
public enum ConsoleMessage: String, Codable, Sendable {
  case add
  case close
  case console
  case name
  case open
  case resize
}

/// A console device's.
public struct ConsoleDeviceState: VersionedState, Equatable {
  public static var kind: String { "virtio-console" }
  public static var version: UInt32 { 2 }

  /// What the driver and the device know of a port of each other.
  public struct Port: Codable, Equatable, Sendable {
    /// The driver has said that it knows the port.
    public var isReady: Bool
    /// A program has opened it.
    public var isOpen: Bool
    /// Something is connected on the host's side, as the driver was told or is to be.
    public var isConnected: Bool
    /// What the driver is still to be told, in this order.
    public var pending: [ConsoleMessage]
    /// How much of the transmit queue's first chain the port has taken, in bytes.
    public var transmitted: Int

    public init(isReady: Bool, isOpen: Bool, isConnected: Bool, pending: [ConsoleMessage], transmitted: Int) {
      self.isReady = isReady
      self.isOpen = isOpen
      self.isConnected = isConnected
      self.pending = pending
      self.transmitted = transmitted
    }
  }

  /// The driver speaks of several ports.
  public var isDriverReady: Bool
  /// The size of the first console is a real one.
  public var isSizeKnown: Bool
  /// In the order of their numbers, from 0.
  public var ports: [Port]

  public init(isDriverReady: Bool, isSizeKnown: Bool, ports: [Port]) {
    self.isDriverReady = isDriverReady
    self.isSizeKnown = isSizeKnown
    self.ports = ports
  }
}

/// An SCMI device's. The platform's is apart from it, and belongs to it: tickets are the same in both.
public struct SCMIDeviceState: VersionedState, Equatable {
  public static var kind: String { "virtio-scmi" }
  public static var version: UInt32 { 1 }

  /// A command whose reply is late.
  public struct LateCommand: Codable, Equatable, Sendable {
    /// By which the platform knows it.
    public var ticket: UInt64
    /// The first descriptor of its chain, which the driver gets back with the reply.
    public var head: UInt16

    public init(ticket: UInt64, head: UInt16) {
      self.ticket = ticket
      self.head = head
    }
  }

  /// The number that the latest command was given to the platform with.
  public var lastTicket: UInt64
  /// In the order of their tickets.
  public var lateCommands: [LateCommand]
  /// Delayed responses that wait for a buffer of the event queue: each a header and its payload, in bytes.
  public var waitingMessages: [[UInt8]]

  public init(lastTicket: UInt64, lateCommands: [LateCommand], waitingMessages: [[UInt8]]) {
    self.lastTicket = lastTicket
    self.lateCommands = lateCommands
    self.waitingMessages = waitingMessages
  }
}

/// A memory device's. What is in the blocks is apart from it, and belongs to it.
public struct MemoryDeviceState: VersionedState, Equatable {
  public static var kind: String { "virtio-memory" }
  public static var version: UInt32 { 1 }

  /// Blocks that follow one another.
  public struct Run: Codable, Equatable, Sendable {
    /// Counted from the region's start.
    public var first: UInt64
    /// How many they are.
    public var count: UInt64

    public init(first: UInt64, count: UInt64) {
      self.first = first
      self.count = count
    }
  }

  /// In bytes: the device that it goes on with has to have such ones.
  public var blockSize: UInt64
  /// In bytes: the device that it goes on with has to have such a one.
  public var regionSize: UInt64
  /// In bytes, from the region's start.
  public var usableSize: UInt64
  /// In bytes.
  public var requestedSize: UInt64
  /// The blocks that the guest has, in the order of their addresses.
  public var plugged: [Run]

  public init(blockSize: UInt64, regionSize: UInt64, usableSize: UInt64, requestedSize: UInt64, plugged: [Run]) {
    self.blockSize = blockSize
    self.regionSize = regionSize
    self.usableSize = usableSize
    self.requestedSize = requestedSize
    self.plugged = plugged
  }
}
