/// The kinds of resource that have identifiers of their own.
public enum ResourceKind: UInt8, CaseIterable, Sendable, Codable {
  case powerDomain = 0
  case performanceDomain = 1
  case clock = 2
  case sensor = 3
  case resetDomain = 4
  case voltageDomain = 5
  case powercapDomain = 6
  case pin = 7
  case group = 8
  case function = 9

  static let count = 10

  /// The protocol that serves it.
  public var protocolIdentifier: ProtocolIdentifier {
    switch self {
    case .powerDomain: .powerDomain
    case .performanceDomain: .performance
    case .clock: .clock
    case .sensor: .sensor
    case .resetDomain: .reset
    case .voltageDomain: .voltage
    case .powercapDomain: .powercap
    case .pin, .group, .function: .pinControl
    }
  }

  /// The key of its list in a platform file.
  public var name: String {
    switch self {
    case .powerDomain: "powerDomains"
    case .performanceDomain: "performanceDomains"
    case .clock: "clocks"
    case .sensor: "sensors"
    case .resetDomain: "resets"
    case .voltageDomain: "regulators"
    case .powercapDomain: "powercaps"
    case .pin: "pins"
    case .group: "groups"
    case .function: "functions"
    }
  }

  /// - Parameter name: as in platform files; `nil` for any other.
  public init?(name: String) {
    guard let match = ResourceKind.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
}

/// A resource, by kind and name.
public struct ResourceName: Hashable, Sendable {
  /// In whose list it stands.
  public var kind: ResourceKind
  /// Unique among the resources of its kind.
  public var name: String

  public init(_ kind: ResourceKind, _ name: String) {
    self.kind = kind
    self.name = name
  }
}

extension ResourceName: CustomStringConvertible {
  public var description: String { "\(kind.name)/\(name)" }
}

/// How the requests of several agents for one resource become one state.
public enum HarmonisationPolicy: String, CaseIterable, Sendable {
  /// The first agent that asks owns the resource until its votes vanish; the others get BUSY.
  case exclusive
  /// The highest of the agents' requests holds.
  case highest
  /// The lowest of the agents' requests holds.
  case lowest
  /// The latest request holds.
  case last
  /// On while at least one agent asks for on. For values that are not on/off it is the same as ``highest``.
  case referenceCount
}
