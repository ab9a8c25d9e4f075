/// The protocols of SCMI 3.2, by their numbers.
public enum ProtocolIdentifier: UInt8, CaseIterable, Sendable, Codable {
  case base = 0x10
  case powerDomain = 0x11
  case systemPower = 0x12
  case performance = 0x13
  case clock = 0x14
  case sensor = 0x15
  case reset = 0x16
  case voltage = 0x17
  case powercap = 0x18
  case pinControl = 0x19

  /// Written out, since it is on the way of each request and the compiler's own is a call.
  @inline(__always)
  public init?(rawValue: UInt8) {
    switch rawValue {
    case 0x10: self = .base
    case 0x11: self = .powerDomain
    case 0x12: self = .systemPower
    case 0x13: self = .performance
    case 0x14: self = .clock
    case 0x15: self = .sensor
    case 0x16: self = .reset
    case 0x17: self = .voltage
    case 0x18: self = .powercap
    case 0x19: self = .pinControl
    default: return nil
    }
  }

  /// Vendor protocols have the numbers from here to 0xFF.
  public static let firstVendor: UInt8 = 0x80

  /// 0 for Base to 9 for pin control.
  @inline(__always)
  var index: Int { Int(rawValue) - 0x10 }

  static let count = 10

  /// The key in a platform file and a transcript.
  public var name: String {
    switch self {
    case .base: "base"
    case .powerDomain: "powerDomain"
    case .systemPower: "systemPower"
    case .performance: "performance"
    case .clock: "clock"
    case .sensor: "sensor"
    case .reset: "reset"
    case .voltage: "voltage"
    case .powercap: "powercap"
    case .pinControl: "pinControl"
    }
  }

  /// - Parameter name: as in platform files; `nil` for any other.
  public init?(name: String) {
    guard let match = ProtocolIdentifier.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
}

/// A protocol's version: major in bits 31:16, minor in 15:0.
public struct ProtocolVersion: RawRepresentable, Hashable, Comparable, Sendable {
  public var rawValue: UInt32

  @inlinable
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  @inlinable
  public init(_ major: UInt16, _ minor: UInt16) {
    rawValue = UInt32(major) << 16 | UInt32(minor)
  }

  /// Clients and gates look at it alone.
  public var major: UInt16 { UInt16(rawValue >> 16) }
  /// Additions that a client need not know.
  public var minor: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

  /// The first version of a major number.
  @inlinable
  public static func major(_ number: UInt16) -> ProtocolVersion { ProtocolVersion(number, 0) }

  @inlinable
  public static func < (left: ProtocolVersion, right: ProtocolVersion) -> Bool { left.rawValue < right.rawValue }
}

extension ProtocolVersion: CustomStringConvertible {
  public var description: String { "\(major).\(minor)" }
}

/// Which protocol versions a whole edition of the specification has.
///
/// The numbers of 3.2 are those that Linux 6.12 declares as supported; those of 2.0 are SCP-firmware's. For the
/// editions between, only the majors are certain (clients gate on majors alone).
public enum VersionProfile: String, CaseIterable, Sendable {
  case edition2 = "2.0"
  case edition3 = "3.0"
  case edition31 = "3.1"
  case edition32 = "3.2"

  /// In the order of ``ProtocolIdentifier``, or `nil` where the edition lacks the protocol.
  public subscript(identifier: ProtocolIdentifier) -> ProtocolVersion? {
    let table: [UInt32] =
      switch self {
      case .edition2: [0x20000, 0x20000, 0x10000, 0x20000, 0x10000, 0x10000, 0x10000, 0, 0, 0]
      case .edition3: [0x20000, 0x20000, 0x10000, 0x20000, 0x10000, 0x20000, 0x10000, 0x10000, 0, 0]
      case .edition31:
        [0x20000, 0x30000, 0x20000, 0x30000, 0x20000, 0x30000, 0x30000, 0x20000, 0x10000, 0]
      case .edition32:
        [0x20001, 0x30001, 0x20001, 0x40000, 0x30000, 0x30001, 0x30001, 0x20001, 0x20000, 0x10000]
      }
    let value = table[identifier.index]
    return value == 0 ? nil : ProtocolVersion(rawValue: value)
  }
}

/// Which messages a protocol has in a version: the platform's answer to MESSAGE_ATTRIBUTES and its gate for commands.
package enum MessageSet {
  /// Message numbers from here on have no bit in a set, and no protocol of the specification has them.
  package static let limit: UInt8 = 32

  /// - Precondition: `message` is below ``limit``.
  @inline(__always)
  package static func bit(_ message: UInt8) -> UInt32 { 1 &<< UInt32(message) }

  /// By protocol: all messages that some version has. Those about fast channels, which do not exist here, are among
  /// them.
  package static let specified: [UInt32] = ProtocolIdentifier.allCases.map { identifier in
    identifier.rows.reduce(0) { $0 | bit($1.number) }
  }

  /// By protocol: what only a trusted agent may send.
  static let trusted: [UInt32] = ProtocolIdentifier.allCases.map { identifier in
    identifier.rows.reduce(0) { $0 | ($1.row.isTrusted ? bit($1.number) : 0) }
  }

  /// Bit n is message n.
  ///
  /// - Parameter events: whether the agent can receive notifications and delayed responses.
  package static func messages(_ identifier: ProtocolIdentifier, version: UInt32, events: Bool) -> UInt32 {
    var set: UInt32 = 0
    for (number, row) in identifier.rows {
      if row.isOffered, version >= row.since.rawValue, events || !row.needsEvents { set |= bit(number) }
    }
    // Who speaks the latest version can choose an older one.
    let latest = VersionProfile.edition32[identifier]
    if latest.map({ version < $0.rawValue }) ?? true { set &= ~bit(CommonMessage.negotiateVersion.rawValue) }
    return set
  }

  /// Every version of a protocol that there is: each major one, and the latest, whose minor number may not be 0.
  package static func versions(_ identifier: ProtocolIdentifier) -> [ProtocolVersion] {
    guard let latest = VersionProfile.edition32[identifier] else { return [] }
    let majors = (1...latest.major).map { ProtocolVersion($0, 0) }
    return latest.minor == 0 ? majors : majors + [latest]
  }

  /// Whether the platform can speak `version` of a protocol of which it advertises `advertised`.
  static func speaks(_ identifier: ProtocolIdentifier, version: UInt32, advertised: UInt32) -> Bool {
    if version == advertised { return true }
    guard version < advertised else { return false }
    return VersionProfile.allCases.contains { $0[identifier]?.rawValue == version }
  }
}
