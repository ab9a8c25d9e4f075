public import GuestMemory

/// The device types that Apus has (virtio 1.3, 5).
public enum VirtioDeviceIdentifier: UInt32, Sendable {
  case network = 1
  case block = 2
  case console = 3
  case entropy = 4
  case memory = 24
  case scmi = 32
}

/// What of the guest's memory a device's back-end can touch.
public enum DeviceReach: Equatable, Sendable {
  /// What its ``DMASpace`` has.
  case window
  /// Nothing: requests and answers come as messages.
  case messages
  /// Everything. A confined machine refuses such a device.
  case everything
}

/// What a device needs to go on elsewhere or later. Plain values; the layout of `words` is the device type's own.
public struct DeviceState: Equatable, Sendable {
  public var version: UInt32
  /// One for each queue; `nil` for those that were not running.
  public var queues: [QueuePosition?]
  public var words: [UInt64]

  public init(version: UInt32 = 1, queues: [QueuePosition?], words: [UInt64] = []) {
    self.version = version
    self.queues = queues
    self.words = words
  }
}

/// A state that does not fit the device it is put into.
public enum DeviceStateError: Error, Equatable, Sendable {
  case unknownVersion(device: String, version: UInt32)
  /// `field` can't have the value it has.
  case invalid(device: String, field: String)
}

/// The contract between a device and whatever shows it to a guest.
///
/// The registers of the transport are read and written on vCPU threads and never reach the device; what does is called
/// on the device thread, so a device needs no locks. Nothing here says that the device's back-end is in this process: a
/// conformer may hand the queues' addresses to another one and be told by it when buffers were used.
///
/// Order of calls: ``attach(_:)`` once; then any number of rounds of ``start(_:queues:)``, work, ``reset(_:)``.
/// ``suspend(_:)`` and ``resume()`` come in pairs, at any time. Between the end of a suspension's ``suspend(_:)`` and
/// ``resume()`` the state is at rest: ``state()`` may be taken and the device touches no guest memory.
public protocol VirtioDevice: AnyObject, Sendable {
  /// By which configuration, events and report know it.
  var name: String { get }
  var identifier: VirtioDeviceIdentifier { get }
  var reach: DeviceReach { get }
  /// What the device offers, queues' features included, transport's not. Never changes.
  var features: VirtioFeatures { get }
  /// The largest size of each queue: powers of two.
  var queueSizes: [UInt16] { get }
  var configuration: ConfigurationSpace { get }

  /// Whether the device can work with these features, all of which it offered. On a vCPU thread; a pure function.
  func accepts(_ features: VirtioFeatures) -> Bool

  /// The memory behind a shared memory region (virtio 1.3, 2.10); `nil`: there is no such region. On a vCPU thread.
  func sharedMemory(_ identifier: UInt8) -> GuestRange?

  // MARK: On the device thread

  /// Gives the device its way to the guest. Once, before anything else; the one call that may come on another thread.
  func attach(_ connection: DeviceConnection)

  /// The driver is ready (DRIVER_OK). `queues` has one element for each queue; `nil` for those not set up. A kick of
  /// each queue that is follows by itself, since chains may be available already.
  func start(_ features: VirtioFeatures, queues: [QueueConfiguration?])

  /// One queue was set up, or reset and set up anew, after ``start(_:queues:)``. A kick follows.
  func startQueue(_ index: Int, _ configuration: QueueConfiguration)

  /// The driver takes one queue back. After `finished` the device touches neither it nor buffers from it.
  func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void)

  /// Buffers are available in a queue that runs.
  ///
  /// - Returns: whether work was left for later so that other devices get their turn; then it is called again.
  func kick(_ queue: Int) -> Bool

  /// Back to the beginning. After `finished` the device touches no guest memory until it is started again.
  func reset(_ finished: @escaping @Sendable () -> Void)

  /// Takes no new work and finishes what is in flight.
  func suspend(_ finished: @escaping @Sendable () -> Void)

  /// Goes on after a suspension. A kick of each queue follows, since kicks during it were ignored.
  func resume()

  /// The driver wrote a writable field of the configuration space, which already has the new value.
  func configurationWritten(at offset: Int)

  /// The state of a suspended device.
  func state() -> DeviceState

  /// Puts a state into a device that was attached and never started. The queues' positions are not among what it has
  /// to take over: they come with ``start(_:queues:)``.
  func restore(_ state: DeviceState) throws(DeviceStateError)
}

extension VirtioDevice {
  public func sharedMemory(_ identifier: UInt8) -> GuestRange? { nil }

  public func accepts(_ features: VirtioFeatures) -> Bool { true }

  public func configurationWritten(at offset: Int) {}
}
