import GuestABI
import Host
import SCMI
import Virtio

/// What a kind of device says of itself, all of it in one file of this folder: how it is wanted, what is wrong with
/// that, which files and other things of the host's it takes, and how it is opened. DeviceKinds.swift has the list.
///
/// `index` is the device's place among the configuration's, for the paths of what is wrong.
protocol DeviceKind: Codable, Sendable {
  /// The mistakes in the plain values.
  func problems(device index: Int) -> [ConfigurationError.Problem]

  /// How many of them a machine may have, where that is less than it may have devices.
  var countLimit: Int { get }

  /// What is wrong with a machine that has more of them than that.
  func problem(ofSeveral count: Int) -> ConfigurationError.Reason?

  /// The files that it needs or writes, and the names that it makes.
  func files(device index: Int) -> [NamedFile]

  /// Changes each path of the host's that it has.
  mutating func changePaths(_ change: (String) -> String)

  /// What no other device may have.
  func claims(device index: Int) -> [DeviceClaim]

  /// Whether its back-end is another process: its window is shared with no other device.
  var isElsewhere: Bool { get }

  /// How its back-end is to get at requests, and where that is said; nil: it has none elsewhere that gets at any.
  var remoteAccess: WantedAccess? { get }

  /// How many bytes of its window the device's driver in Linux has in use at the same time: the rings, and as many
  /// bytes for each descriptor as the driver gives to one. A driver that finds the pool full tries again later, or
  /// drops.
  ///
  /// Not more than that, for Linux zeroes the whole of a pool when it starts, and the host has zeroed it before.
  var windowNeed: UInt64 { get }

  /// What of the guest's memory the device's model can touch.
  var reach: DeviceReach { get }

  /// Whether the device puts the machine on a platform.
  var hasPlatform: Bool { get }

  /// The hot-plug memory that the device manages, where it does.
  var hotplugMemory: HotplugMemoryWish? { get }

  /// Whether it translates the addresses of all others.
  var isIOMMU: Bool { get }

  /// Opens the platform on which the device puts the machine, where it does.
  ///
  /// - Parameter shared: the platform that several machines share, or nil.
  func openPlatform(_ shared: SharedPlatform?, device index: Int) throws(ConfigurationError) -> SCMIPlace?

  /// Opens what the device reads, and looks for what it is to have of the host.
  ///
  /// - Parameter platform: the machine's, open.
  /// - Returns: nil where what is wrong has been said already.
  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource?

  /// Opens the same device for machines in other processes.
  ///
  /// - Returns: nil where such devices are not served.
  /// - Throws: ``ConfigurationError``, or what the host refuses.
  func openServed(_ place: ServicePlace) throws -> ServedModel?

  /// Its own part of the plan; nil where there is none.
  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)?
}

extension DeviceKind {
  func problems(device index: Int) -> [ConfigurationError.Problem] { [] }

  var countLimit: Int { .max }

  func problem(ofSeveral count: Int) -> ConfigurationError.Reason? { nil }

  func files(device index: Int) -> [NamedFile] { [] }

  mutating func changePaths(_ change: (String) -> String) {}

  func claims(device index: Int) -> [DeviceClaim] { [] }

  var isElsewhere: Bool { false }

  var remoteAccess: WantedAccess? { nil }

  var reach: DeviceReach { .window }

  var hasPlatform: Bool { false }

  var hotplugMemory: HotplugMemoryWish? { nil }

  var isIOMMU: Bool { false }

  func openPlatform(_ shared: SharedPlatform?, device index: Int) throws(ConfigurationError) -> SCMIPlace? { nil }

  func openServed(_ place: ServicePlace) throws -> ServedModel? { nil }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? { nil }
}

/// Something of the host's that a device takes, and what is wrong where another one has taken it.
struct DeviceClaim {
  /// What in the configuration takes it.
  let place: Configuration.Path
  let subject: Subject
  /// What is wrong where that of another place has it.
  let reason: (_ other: Configuration.Path) -> ConfigurationError.Reason

  enum Subject {
    /// An open descriptor. Two of one socket are the same.
    case descriptor(Int32)
    /// A file, under any of its names. Several may have one that they all only read.
    case file(path: String, isReadOnly: Bool)
    /// A place where the host listens.
    case listener(String)
  }

  static func descriptor(_ number: Int32, at place: Configuration.Path) -> DeviceClaim {
    DeviceClaim(place: place, subject: .descriptor(number)) { other in
      "the descriptor is that of \(at: other), too; give each one of its own"
    }
  }

  /// Whether only one of both can have it.
  func excludes(_ other: DeviceClaim) -> Bool {
    switch (subject, other.subject) {
    case (.descriptor(let one), .descriptor(let other)):
      return one == other || FileIdentity(socket: one).map { $0 == FileIdentity(socket: other) } ?? false
    case (.file(let path, let isReadOnly), .file(let other, let isOtherReadOnly)):
      guard !(isReadOnly && isOtherReadOnly) else { return false }
      return path == other || FileIdentity(path).map { $0 == FileIdentity(other) } ?? false
    case (.listener(let one), .listener(let other)): return one == other
    default: return false
    }
  }
}

/// What a driver in Linux takes of its pool.
enum DriverMemory {
  /// A guest's page, which is also the least that a ring takes.
  static let page: UInt64 = 4 << 10
  /// What the smallest buffer takes (IO_TLB_SIZE).
  static let smallestBuffer: UInt64 = 2 << 10
}
