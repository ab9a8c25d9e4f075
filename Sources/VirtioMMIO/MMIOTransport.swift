public import GuestMemory
internal import Synchronization
public import Virtio

/// A virtio-mmio device of version 2, modern only (virtio 1.3, 4.2): registers on one side, a device on the other,
/// which is driven through its ``DeviceTransportSide``.
///
/// **Threads.** ``read(offset:width:)`` and ``write(offset:width:value:)`` are called on vCPU threads, several at once
/// if the guest likes; ``kick(queue:)`` on the device thread. What the registers hold stands under a lock that only
/// vCPUs take. What both sides need (interrupt status, device status) is atomic, so neither a kick nor an
/// acknowledgement of an interrupt ever waits for anything.
///
/// **The handshake.** DRIVER_OK, a queue's set-up or reset, a reset of the device and a write to its configuration
/// space change what the device thread works on, so the vCPU hands them over and waits: `DeviceThread.perform` runs the
/// change between two pieces of the device's work, and the vCPU goes on when the device says that it is done. For a
/// reset the device says so when nothing is in flight any longer: after the guest's store to Status no I/O touches its
/// memory, as a driver takes for granted that writes 0 and frees its rings. The vCPU holds the registers' lock
/// meanwhile (another vCPU that touches the same device waits, too); the device thread never takes it while vCPUs run,
/// so there is no circle.
///
/// Guests get zero for reads that make no sense, nothing for such writes, and an event is reported.
public final class MMIOTransport: Sendable {
  /// In bytes: a device's registers and 256 bytes of configuration space.
  public static let registerSpace: UInt64 = 0x200

  /// VendorID: "Apus" in ASCII, little-endian.
  public static let vendorID: UInt32 = 0x7375_7041

  /// QueueNotify, from the start of the registers: what an ioeventfd is for.
  public static let queueNotify: UInt64 = MMIORegister.queueNotify.rawValue

  let side: DeviceTransportSide
  let thread: any DeviceThread
  let registers: Mutex<Registers>
  private let vendor: UInt32
  let discardPendingKicks: (@Sendable (Int?) -> Void)?

  /// What these registers are of.
  public var device: any VirtioDevice { side.device }
  /// What the device has of the guest: its counters, and the memory that it sees.
  public var connection: DeviceConnection { side.connection }

  struct QueueRegisters: Equatable, Sendable {
    var size: UInt32
    var isReady = false
    var descriptorTable: UInt64 = 0
    var driverArea: UInt64 = 0
    var deviceArea: UInt64 = 0
  }

  struct Registers: Equatable, Sendable {
    var deviceFeaturesSelect: UInt32 = 0
    var driverFeaturesSelect: UInt32 = 0
    var driverFeatures = VirtioFeatures()
    var queueSelect: UInt32 = 0
    var sharedMemorySelect: UInt32 = 0
    var queues: [QueueRegisters]

    init(queueSizes: [UInt16]) {
      queues = queueSizes.map { QueueRegisters(size: UInt32($0)) }
    }
  }

  /// - Parameters:
  ///   - device: not attached to anything yet; it must not reach more than the space has (the machine checks).
  ///   - space: the device's own. Where it is confined, VIRTIO_F_ACCESS_PLATFORM is offered and must be accepted.
  ///   - line: the device's interrupt.
  ///   - thread: where the device works.
  ///   - descriptors: of each queue, where there are such; calls go through the connection, so they have none.
  ///   - observer: hears of what the guest does wrong.
  ///   - vendor: VendorID, ``vendorID`` if not said otherwise.
  ///   - discardPendingKicks: called on the device thread when a queue was taken from the device, or all of them (nil):
  ///     forgets notifications that have arrived and were not passed on. The driver made them in time, and they do not
  ///     count for the next one.
  public init(
    device: any VirtioDevice,
    space: DMASpace,
    line: any InterruptLine,
    thread: any DeviceThread,
    descriptors: [QueueDescriptors] = [],
    observer: (any DriverFaultObserver)? = nil,
    vendor: UInt32 = MMIOTransport.vendorID,
    discardPendingKicks: (@Sendable (_ queue: Int?) -> Void)? = nil
  ) {
    precondition(descriptors.allSatisfy { $0.call == nil }, "InterruptStatus is set before the edge")
    self.thread = thread
    self.vendor = vendor
    self.discardPendingKicks = discardPendingKicks
    registers = Mutex(Registers(queueSizes: device.queueSizes))
    side = DeviceTransportSide(
      device: device,
      space: space,
      line: line,
      thread: thread,
      descriptors: descriptors,
      observer: observer
    )
  }

  /// What a driver is offered.
  public var offeredFeatures: VirtioFeatures { side.offeredFeatures }

  /// What the driver has accepted and the device has agreed to; nil: they have not come to that.
  public var acceptedFeatures: VirtioFeatures? {
    side.status.isDisjoint(with: [.featuresOK, .driverOK]) ? nil : registers.withLock { $0.driverFeatures }
  }

  /// A driver's notification, from the queue's eventfd. On the device thread.
  ///
  /// - Parameter queue: one that the device has.
  /// - Returns: whether to call again when other devices had their turn.
  public func kick(queue: Int) -> Bool { side.kick(queue: queue) }

  /// As ``DeviceTransportSide/whileAtRest(_:)``.
  public func whileAtRest(_ body: @escaping @Sendable () -> Void) { side.whileAtRest(body) }

  func report(queue: Int? = nil, _ fault: DriverFault) { side.connection.report(queue: queue, fault) }

  // MARK: Registers

  /// A guest's read. On any thread.
  ///
  /// - Parameters:
  ///   - offset: in bytes, below ``registerSpace``.
  ///   - width: in bytes: 1, 2, 4 or 8.
  public func read(offset: UInt64, width: Int) -> UInt64 {
    if offset >= MMIORegister.configurationStart { return readConfiguration(offset, width: width) }
    guard let register = MMIORegister(rawValue: offset & ~3) else {
      report(.registerUnknown)
      return 0
    }
    guard width == 4, offset & 3 == 0 else {
      report(.registerWidth)
      return 0
    }
    // The two that a driver reads while it works come first and take no lock.
    switch register {
    case .interruptStatus: return UInt64(side.interruptStatus)
    case .status: return UInt64(side.status.rawValue)
    default: return UInt64(value(of: register))
    }
  }

  /// A guest's write. On any thread.
  public func write(offset: UInt64, width: Int, value: UInt64) {
    if offset >= MMIORegister.configurationStart {
      writeConfiguration(offset, width: width, value: value)
      return
    }
    guard let register = MMIORegister(rawValue: offset & ~3) else {
      report(.registerUnknown)
      return
    }
    guard width == 4, offset & 3 == 0 else {
      report(.registerWidth)
      return
    }
    guard register.isWritable else {
      report(.registerReadOnly)
      return
    }
    let value = UInt32(truncatingIfNeeded: value)
    switch register {
    case .interruptACK:
      side.acknowledgeInterrupts(value)
    case .queueNotify:
      notify(queue: value)
    case .status:
      registers.withLock { writeStatus(value, &$0) }
    default:
      registers.withLock { set(register, to: value, &$0) }
    }
  }

  private func value(of register: MMIORegister) -> UInt32 {
    switch register {
    case .magicValue: return MMIORegister.magic
    case .version: return MMIORegister.modern
    case .deviceID: return device.identifier.rawValue
    case .vendorID: return vendor
    case .configGeneration: return device.configuration.generation
    default: break
    }
    guard register.isReadable else {
      report(.registerWriteOnly)
      return 0
    }
    return registers.withLock { registers in
      let queue = selectedQueue(registers)
      switch register {
      case .deviceFeatures: return word(of: side.offeredFeatures.rawValue, registers.deviceFeaturesSelect)
      case .queueSizeMax: return queue.map { UInt32(device.queueSizes[$0]) } ?? 0
      case .queueReady: return queue.map { registers.queues[$0].isReady ? 1 : 0 } ?? 0
      case .shmLenLow: return word(of: sharedMemory(registers).length, 0)
      case .shmLenHigh: return word(of: sharedMemory(registers).length, 1)
      case .shmBaseLow: return word(of: sharedMemory(registers).base, 0)
      case .shmBaseHigh: return word(of: sharedMemory(registers).base, 1)
      // A queue's reset is over when the write of QueueReset is, so there is never one in progress to be seen.
      default: return 0
      }
    }
  }

  private func word(of value: UInt64, _ select: UInt32) -> UInt32 {
    select < 2 ? UInt32(truncatingIfNeeded: value >> (32 * UInt64(select))) : 0
  }

  func selectedQueue(_ registers: Registers) -> Int? {
    let index = Int(registers.queueSelect)
    return registers.queues.indices.contains(index) ? index : nil
  }

  /// A region that isn't there has length and base 2⁶⁴ − 1 (virtio 1.3, 4.2.2).
  private func sharedMemory(_ registers: Registers) -> (length: UInt64, base: UInt64) {
    guard
      let identifier = UInt8(exactly: registers.sharedMemorySelect),
      let range = device.sharedMemory(identifier)
    else { return (.max, .max) }
    return (range.size, range.start.rawValue)
  }

  // MARK: Notifications on a vCPU's thread

  /// The way for a notification that no eventfd caught, or that is to be answered before the vCPU goes on.
  private func notify(queue: UInt32) {
    guard queue < UInt32(device.queueSizes.count) else {
      report(queue: Int(queue), .queueUnknown)
      return
    }
    guard device.answersAtOnce else { return side.post(kicks: 1 << UInt64(queue)) }
    thread.perform { [side] finish in
      if side.kick(queue: Int(queue)) { side.post(kicks: 1 << UInt64(queue)) }
      finish()
    }
  }

  /// Has a queue looked at again when other devices had their turn. From any thread.
  public func kickAgain(queue: Int) { side.post(kicks: 1 << UInt64(queue)) }

  // MARK: Configuration space

  private func readConfiguration(_ offset: UInt64, width: Int) -> UInt64 {
    guard width <= 4, offset % UInt64(width) == 0 else {
      report(.registerWidth)
      return 0
    }
    let position = Int(offset - MMIORegister.configurationStart)
    guard let value = side.readConfiguration(at: position, width: width) else {
      report(.configurationOutOfRange)
      return 0
    }
    return value
  }

  private func writeConfiguration(_ offset: UInt64, width: Int, value: UInt64) {
    guard width <= 4, offset % UInt64(width) == 0 else {
      report(.registerWidth)
      return
    }
    let position = Int(offset - MMIORegister.configurationStart)
    if let fault = side.writeConfiguration(at: position, width: width, value: value) {
      report(fault)
      return
    }
    thread.perform { [side] finish in
      side.configurationWritten(at: position, width: width)
      finish()
    }
  }

  // MARK: Reset

  /// Back to the beginning; returns when the device is at rest. The caller holds the registers.
  func resetDevice(_ registers: inout Registers) {
    thread.perform { [self] finish in
      side.reset { [self] in
        discardPendingKicks?(nil)
        finish()
      }
    }
    registers = Registers(queueSizes: device.queueSizes)
  }
}
