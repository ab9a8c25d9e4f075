/// What a message is (SCMI 3.2, message header, bits 9:8).
public enum MessageType: UInt8, Sendable {
  case command = 0
  /// No message of the specification has it.
  case reserved = 1
  case delayedResponse = 2
  case notification = 3
}

/// The first word of every message: identifier 7:0, type 9:8, protocol 17:10, token 27:18; 31:28 are zero.
///
/// A platform echoes the header of a command verbatim in its reply; it reads nothing into the token.
public struct MessageHeader: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt32

  /// The bits of the type, for who is wrong about it on purpose.
  static var typeShift: UInt32 { 8 }
  static var typeMask: UInt32 { 0x300 }

  @inlinable
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// A header of its parts; of the token's bits the lower 10 count.
  @inlinable
  public init(_ protocolIdentifier: UInt8, _ message: UInt8, type: MessageType = .command, token: UInt16 = 0) {
    rawValue =
      UInt32(message) | UInt32(type.rawValue) << 8 | UInt32(protocolIdentifier) << 10 | UInt32(token & 0x3FF) << 18
  }

  /// The number of the message in its protocol: a command's or, by ``type``, a notification's.
  @inlinable
  public var message: UInt8 {
    get { UInt8(truncatingIfNeeded: rawValue) }
    set { rawValue = rawValue & ~0xFF | UInt32(newValue) }
  }

  /// Whether it is a command (or its reply), a delayed response or a notification.
  @inlinable
  public var type: MessageType {
    get {
      switch (rawValue >> 8) & 3 {
      case 0: .command
      case 1: .reserved
      case 2: .delayedResponse
      default: .notification
      }
    }
    set { rawValue = rawValue & ~0x300 | UInt32(newValue.rawValue) << 8 }
  }

  /// The number of a ``ProtocolIdentifier``, or a vendor's from 0x80 on.
  @inlinable
  public var protocolIdentifier: UInt8 {
    get { UInt8(truncatingIfNeeded: rawValue >> 10) }
    set { rawValue = rawValue & ~0x3_FC00 | UInt32(newValue) << 10 }
  }

  /// What the agent knows the answer by; 10 bits. Zero in a notification.
  @inlinable
  public var token: UInt16 {
    get { UInt16(truncatingIfNeeded: rawValue >> 18) & 0x3FF }
    set { rawValue = rawValue & ~0x0FFC_0000 | UInt32(newValue & 0x3FF) << 18 }
  }

  /// Whether the bits that are reserved are zero and the type is that of a command.
  @inlinable
  var isWellFormedCommand: Bool { rawValue & 0xF000_0300 == 0 }
}

/// The first word of every reply and delayed response (SCMI 3.2, status codes); notifications have none.
public struct SCMIStatus: RawRepresentable, Hashable, Error, Sendable, Codable {
  public let rawValue: Int32

  @inlinable
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// The command was carried out, or will be.
  public static let success = SCMIStatus(rawValue: 0)
  /// Here is no such command, or not for this agent.
  public static let notSupported = SCMIStatus(rawValue: -1)
  /// A parameter is none that the command allows.
  public static let invalidParameters = SCMIStatus(rawValue: -2)
  /// The agent may not do this.
  public static let denied = SCMIStatus(rawValue: -3)
  /// There is no such resource or entity for the agent.
  public static let notFound = SCMIStatus(rawValue: -4)
  /// A value lies beyond what the resource can have.
  public static let outOfRange = SCMIStatus(rawValue: -5)
  /// Another agent or an earlier command is in the way.
  public static let busy = SCMIStatus(rawValue: -6)
  /// The platform could not reach what it drives.
  public static let communicationError = SCMIStatus(rawValue: -7)
  /// Anything that no other code tells.
  public static let genericError = SCMIStatus(rawValue: -8)
  /// What the platform drives does not work.
  public static let hardwareError = SCMIStatus(rawValue: -9)
  /// The message is not of the form that its protocol has.
  public static let protocolError = SCMIStatus(rawValue: -10)
  /// New in SCMI 3.2, for pin control.
  public static let inUse = SCMIStatus(rawValue: -11)

  /// In the order of their numbers: the index is the number's magnitude.
  package static let names = [
    "SUCCESS", "NOT_SUPPORTED", "INVALID_PARAMETERS", "DENIED", "NOT_FOUND", "OUT_OF_RANGE", "BUSY", "COMMS_ERROR",
    "GENERIC_ERROR", "HARDWARE_ERROR", "PROTOCOL_ERROR", "IN_USE",
  ]

  /// A status by its name in the specification, such as `DENIED`.
  public init?(name: String) {
    guard let index = SCMIStatus.names.firstIndex(of: name) else { return nil }
    rawValue = -Int32(index)
  }
}

extension SCMIStatus: CustomStringConvertible {
  /// The specification's name, or the number.
  public var description: String {
    let index = -Int(rawValue)
    return SCMIStatus.names.indices.contains(index) ? SCMIStatus.names[index] : String(rawValue)
  }
}
