/// The protocols of SCMI 3.2, by their numbers.
public enum ProtocolIdentifier: UInt8, CaseIterable, Sendable {
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

  public init?(name: String) {
    guard let match = ProtocolIdentifier.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
}

/// A protocol's version: major in bits 31:16, minor in 15:0.
public struct ProtocolVersion: RawRepresentable, Hashable, Comparable, Sendable {
  public var rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  public init(_ major: UInt16, _ minor: UInt16) {
    rawValue = UInt32(major) << 16 | UInt32(minor)
  }

  public var major: UInt16 { UInt16(rawValue >> 16) }
  public var minor: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

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
  package static let negotiate: UInt8 = 0x10

  /// By protocol: all messages that some version has. Those about fast channels, which do not exist here, are among
  /// them.
  package static let specified: [UInt32] = ProtocolIdentifier.allCases.map { identifier in
    let fastChannels: UInt32 =
      switch identifier {
      case .performance: 1 << 0xB
      case .powercap: 1 << 0xC
      default: 0
      }
    return messages(identifier, version: .max, events: true) | fastChannels
  }

  /// Bit n is message n.
  ///
  /// - Parameter events: whether the agent can receive notifications and delayed responses.
  package static func messages(_ identifier: ProtocolIdentifier, version: UInt32, events: Bool) -> UInt32 {
    var set: UInt32 = 0b111
    func add(_ range: ClosedRange<UInt32>, from minimum: UInt32 = 0, needsEvents: Bool = false) {
      guard version >= minimum, events || !needsEvents else { return }
      for message in range { set |= 1 << message }
    }
    switch identifier {
    case .base:
      add(3...7)
      add(8...8, needsEvents: true)
      add(9...0xB, from: 0x20000)
    case .powerDomain:
      add(3...5)
      add(6...6, needsEvents: true)
      add(7...7, from: 0x20000, needsEvents: true)
      add(8...8, from: 0x30000)
    case .systemPower:
      add(3...4)
      add(5...5, needsEvents: true)
    case .performance:
      // 0xB, DESCRIBE_FASTCHANNEL, is never there: virtio has no memory that both sides could write.
      add(3...8)
      add(9...0xA, needsEvents: true)
      add(0xC...0xC, from: 0x30000)
    case .clock:
      add(3...7)
      add(8...8, from: 0x20000)
      add(9...0xA, from: 0x20000, needsEvents: true)
      add(0xB...0xF, from: 0x30000)
    case .sensor:
      add(3...3)
      add(5...6)
      add(4...4, needsEvents: true)
      add(7...0xA, from: 0x20000)
      add(0xB...0xB, from: 0x20000, needsEvents: true)
      add(0xC...0xD, from: 0x30000)
    case .reset:
      add(3...4)
      add(5...5, needsEvents: true)
      add(6...6, from: 0x30000)
    case .voltage:
      add(3...8)
      add(9...9, from: 0x20000)
    case .powercap:
      add(3...9)
      add(0xA...0xB, needsEvents: true)
    case .pinControl:
      add(3...0xA)
    }
    if let latest = VersionProfile.edition32[identifier], version >= latest.rawValue {
      set |= 1 << UInt32(negotiate)
    }
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
