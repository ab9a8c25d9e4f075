/// A state that is kept elsewhere and comes back: a structure of one kind, of a version that says what its fields mean.
///
/// A field that is added, or means something else, is a new version. Its coded form is that of ``Versioned``.
public protocol VersionedState: Codable, Sendable {
  /// What it is the state of, as it stands in the coded form: `virtio-block`, say.
  static var kind: String { get }
  /// Of the structure's fields, from 1 on.
  static var version: UInt32 { get }
}

/// A state with its kind and version, which are looked at before anything else is.
public struct Versioned<State: VersionedState>: Codable, Sendable {
  /// What is kept.
  public var state: State

  public init(_ state: State) {
    self.state = state
  }

  /// - Throws: ``DeviceStateError`` for the state of something else, and for a version that is not known here; what the
  ///   decoder throws for what is no such structure.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: VersionedKey.self)
    let kind = try container.decode(String.self, forKey: .kind)
    guard kind == State.kind else { throw DeviceStateError.wrongKind(expected: State.kind, found: kind) }
    let version = try container.decode(UInt32.self, forKey: .version)
    guard version == State.version else { throw DeviceStateError.unknownVersion(kind: kind, version: version) }
    state = try container.decode(State.self, forKey: .state)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: VersionedKey.self)
    try container.encode(State.kind, forKey: .kind)
    try container.encode(State.version, forKey: .version)
    try container.encode(state, forKey: .state)
  }
}

/// The fields of all that is ``Versioned``: a type within that one would be another for each state, made at run time.
private enum VersionedKey: String, CodingKey {
  case kind, version, state
}

extension Versioned: Equatable where State: Equatable {}

extension VersionedState {
  /// Writes the state with its kind and version.
  ///
  /// - Throws: what the encoder throws.
  public func encodeVersioned(to encoder: any Encoder) throws {
    try Versioned(self).encode(to: encoder)
  }

  /// The state as this kind's.
  ///
  /// - Throws: ``DeviceStateError/wrongKind(expected:found:)`` where it is another's.
  public init(kindOf state: any VersionedState) throws(DeviceStateError) {
    guard let own = state as? Self else { throw .wrongKind(expected: Self.kind, found: type(of: state).kind) }
    self = own
  }
}

/// A state that does not fit the device it is put into.
public enum DeviceStateError: Error, Equatable, Sendable {
  /// It is the state of something else.
  case wrongKind(expected: String, found: String)
  /// It was written by an Apus that knows more, or less, of such devices.
  case unknownVersion(kind: String, version: UInt32)
  /// `field` can't have the value it has.
  case invalid(device: String, field: String)
  /// There was no state any longer: the machine had ended.
  case ended(device: String)
}

extension DeviceStateError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .wrongKind(let expected, let found): "a state of \(expected) is wanted, and this is one of \(found)"
    case .unknownVersion(let kind, let version):
      "version \(version) of the state of \(kind) is not known here; restore it with the Apus that wrote it"
    case .invalid(let device, let field): "the state of \(device) does not fit the device: \(field)"
    case .ended(let device): "the machine ended before the state of \(device) was taken"
    }
  }
}

/// What is to be known of a device beside its own state, whatever the transport.
public struct DeviceConnectionState: Codable, Equatable, Sendable {
  /// How far the driver has come with the device (virtio 1.3, 2.1).
  public var status: VirtioDeviceStatus
  /// The bits of InterruptStatus (virtio 1.3, 4.2.2) that the driver has not acknowledged.
  public var interruptStatus: UInt32
  /// The bytes of the configuration space.
  public var configuration: [UInt8]
  /// Counts the device's changes of them.
  public var configurationGeneration: UInt32
  /// Where each queue stands; `nil` for those that do not run.
  public var positions: [QueuePosition?]

  public init(
    status: VirtioDeviceStatus,
    interruptStatus: UInt32,
    configuration: [UInt8],
    configurationGeneration: UInt32,
    positions: [QueuePosition?]
  ) {
    self.status = status
    self.interruptStatus = interruptStatus
    self.configuration = configuration
    self.configurationGeneration = configurationGeneration
    self.positions = positions
  }
}
