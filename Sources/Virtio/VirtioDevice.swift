public import GuestMemory

/// A device type by its number (virtio 1.3, 5); those that Apus has have names.
public struct VirtioDeviceIdentifier: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt32

  /// Any type: 0 stands for no device.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// A network card.
  public static let network = VirtioDeviceIdentifier(rawValue: 1)
  /// A disk.
  public static let block = VirtioDeviceIdentifier(rawValue: 2)
  /// Consoles and channels.
  public static let console = VirtioDeviceIdentifier(rawValue: 3)
  /// Random numbers.
  public static let entropy = VirtioDeviceIdentifier(rawValue: 4)
  /// A socket device.
  public static let socket = VirtioDeviceIdentifier(rawValue: 19)
  /// What stands between devices and the guest's memory.
  public static let iommu = VirtioDeviceIdentifier(rawValue: 23)
  /// Hot-plug memory.
  public static let memory = VirtioDeviceIdentifier(rawValue: 24)
  /// What a guest mounts (virtio-fs).
  public static let fileSystem = VirtioDeviceIdentifier(rawValue: 26)
  /// A place on an SCMI platform.
  public static let scmi = VirtioDeviceIdentifier(rawValue: 32)
}

/// What of the guest's memory a device's back-end can touch.
public enum DeviceReach: Equatable, Sendable {
  /// What its `DMASpace` has.
  case window
  /// Nothing: requests and answers come as messages.
  case messages
  /// Everything. A confined machine refuses such a device.
  case everything
}

/// The contract between a device and whatever shows it to a guest.
///
/// The registers of the transport are read and written on vCPU threads and never reach the device; what does is called
/// on the device thread, so a device needs no locks. Nothing here says that the device's back-end is in this process: a
/// conformer may hand the queues' addresses and descriptors to another one and be told by it when buffers were used.
///
/// Order of calls: ``attach(_:)`` once; then any number of rounds of ``start(_:queues:_:)``, work, ``reset(_:)``. In a
/// device that goes on from a state that was taken elsewhere, the first round begins with ``restore(_:)``, while it is
/// suspended, and ``startRestored(_:queues:_:)``. ``suspend(_:)`` and ``resume()`` come in pairs, at any time. Between
/// the end of a suspension's ``suspend(_:)`` and ``resume()`` the state is at rest: ``savedState()`` may be taken and
/// the device touches no guest memory. A ``resume()`` that comes before that end takes the suspension back.
///
/// Where a call has a `finished`, the device calls it once, on the device thread, at once or when it is done.
public protocol VirtioDevice: AnyObject, Sendable {
  /// By which configuration, events and report know it.
  var name: String { get }
  /// The device type, which the driver is chosen by.
  var identifier: VirtioDeviceIdentifier { get }
  /// How much of the guest's memory the device has to see; more than the window is not granted.
  var reach: DeviceReach { get }
  /// What the device offers, queues' features included, transport's not. Never changes.
  var features: VirtioFeatures { get }
  /// The largest size of each queue: powers of two.
  var queueSizes: [UInt16] { get }
  /// The device's configuration space, of the layout of its type. The same object for good.
  var configuration: ConfigurationSpace { get }
  /// Whether the queues' kick descriptors (``DeviceConnection/descriptors``) are waited for elsewhere, in another
  /// process say; then nobody waits for them here, and ``kick(_:)`` comes only where a queue is to be looked at anyway.
  var takesKickDescriptors: Bool { get }

  /// Whether drivers wait for answers without a sleep. A notification is then no eventfd's: the vCPU that notifies
  /// waits until the device thread has looked at the queue, and leaves its processor to that.
  var answersAtOnce: Bool { get }

  /// Whether the device can work with these features, all of which it offered. On a vCPU thread; a pure function.
  func accepts(_ features: VirtioFeatures) -> Bool

  /// The memory behind a shared memory region (virtio 1.3, 2.10); `nil`: there is no such region. On a vCPU thread.
  func sharedMemory(_ identifier: UInt8) -> GuestRange?

  // MARK: On the device thread

  /// Gives the device its way to the guest. Once, before anything else; the one call that may come on another thread.
  func attach(_ connection: DeviceConnection)

  /// The driver is ready (DRIVER_OK), and the device begins anew. `queues` has one element for each queue; `nil` for
  /// those not set up. A kick of each queue that is follows by itself, since chains may be available already.
  func start(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  )

  /// The device goes on from the state that ``restore(_:)`` has put in, with its queues where they stood. It is
  /// suspended; the kicks follow with ``resume()``.
  func startRestored(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  )

  /// One queue was set up, or reset and set up anew, after ``start(_:queues:_:)``. A kick follows.
  func startQueue(_ index: Int, _ configuration: QueueConfiguration, _ finished: @escaping @Sendable () -> Void)

  /// The driver takes one queue back. After `finished` the device touches neither it nor buffers from it.
  func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void)

  /// Buffers are available in a queue that runs.
  ///
  /// - Returns: whether work was left for later so that other devices get their turn; then it is called again.
  func kick(_ queue: Int) -> Bool

  /// Back to the beginning. After `finished` the device touches no guest memory until it is started again.
  func reset(_ finished: @escaping @Sendable () -> Void)

  /// Takes no new work and finishes what is in flight. Where ``resume()`` comes earlier, `finished` is called all the
  /// same, then or later: it means nothing then.
  func suspend(_ finished: @escaping @Sendable () -> Void)

  /// Goes on after a suspension. A kick of each queue follows, since kicks during it were ignored.
  func resume()

  /// The driver wrote `count` bytes of a writable field of the configuration space, which already has the new value.
  func configurationWritten(at offset: Int, count: Int)

  /// Where each queue stands; `nil` for those that do not run. Of a suspended device.
  var queuePositions: [QueuePosition?] { get }

  // A type for it that is associated with the device's would have the runtime look for generic devices' conformances by
  // name, in all that is linked in: 175,000 instructions for each device of a machine.

  /// What a suspended device needs to go on elsewhere or later, beside its queues' positions and its configuration
  /// space: a structure of its kind.
  func savedState() -> any VersionedState

  /// Reads a structure of the device's kind, for ``restore(_:)``: `try Versioned<KindOfState>(from: decoder).state`.
  ///
  /// - Throws: as ``Versioned/init(from:)``.
  func decodeState(from decoder: any Decoder) throws -> any VersionedState

  /// Puts a state into a device that was attached and never started, and suspends it.
  ///
  /// - Throws: ``DeviceStateError/wrongKind(expected:found:)`` for the structure of another kind;
  ///   ``DeviceStateError/invalid(device:field:)`` for a state that this device can't have.
  func restore(_ state: any VersionedState) throws(DeviceStateError)
}

extension VirtioDevice {
  public func sharedMemory(_ identifier: UInt8) -> GuestRange? { nil }

  public func accepts(_ features: VirtioFeatures) -> Bool { true }

  public func configurationWritten(at offset: Int, count: Int) {}

  public var takesKickDescriptors: Bool { false }

  public var answersAtOnce: Bool { false }

  /// What suits a device whose state is all that it begins with.
  public func startRestored(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    start(features, queues: queues, finished)
  }
}
