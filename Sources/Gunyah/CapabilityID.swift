/// What a machine names an object of the hypervisor by. It means something in its own table alone.
public struct CapabilityID: RawRepresentable, Hashable, Sendable {
  /// As it stands in a register, and in the device tree.
  public var rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }
}

/// What a capability lets its holder do.
///
/// Gunyah Hypervisor API, "Capability Rights": the values are those of doorbells and of message queues, which agree.
public struct CapabilityRights: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32

  @inlinable
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// To send by it: messages, or a doorbell's flags; and to configure the sender's side of a queue.
  @inlinable public static var send: CapabilityRights { CapabilityRights(rawValue: 1) }
  /// To receive by it; to flush a queue; to mask and to reset a doorbell.
  @inlinable public static var receive: CapabilityRights { CapabilityRights(rawValue: 2) }
  /// To let a vCPU run. The hypervisor asks for two rights of a thread for that, which nobody gives apart.
  @inlinable public static var run: CapabilityRights { CapabilityRights(rawValue: 4) }
}

/// The kinds of objects that there are capabilities of.
public enum CapabilityKind: Equatable, Sendable, CaseIterable {
  case messageQueue
  case doorbell
  case virtualCPU
}

/// What a ``CapabilityTable`` can hold: something that says of which kind it is. It is asked when it is put in.
public protocol CapabilityObject: Sendable {
  /// It never changes.
  var capabilityKind: CapabilityKind { get }
}
