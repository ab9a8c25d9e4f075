internal import Support
internal import VirtioDriver

/// A device under attack, and what a good driver needs to use it.
struct Target {
  enum Kind: UInt32 {
    case block = 2
    case entropy = 4

    var name: StaticString {
      switch self {
      case .block: "block"
      case .entropy: "entropy"
      }
    }

    /// In bytes.
    var configurationSize: UInt64 {
      switch self {
      case .block: 60
      case .entropy: 0
      }
    }
  }

  let kind: Kind
  let slot: UInt64
  let driver: Driver<MappedMachine>
  /// 64 KiB in the window that are this device's.
  let area: UInt64
  let features: UInt64
  var queue: DriverQueue<MappedMachine>
  private var sequence: UInt32 = 1

  static var queueSize: UInt16 { 16 }

  init(_ kind: Kind, slot: UInt64, _ machine: MappedMachine, area: UInt64) {
    self.kind = kind
    self.slot = slot
    self.area = area
    driver = Driver(machine)
    features =
      driver.offeredFeatures
      & (Feature.version1 | Feature.accessPlatform | Feature.ringReset | Feature.indirectDescriptors)
    queue = DriverQueue(machine, index: 0, size: Self.queueSize, at: area)
  }

  var buffer: UInt64 { area + 0x1000 }

  /// Where a sector is in the buffer.
  var data: UInt64 { buffer + 512 }

  var needsReset: Bool { driver.status & Status.deviceNeedsReset != 0 }

  /// The first number that no queue of the device has.
  var unknownQueue: Int {
    var index = 0
    repeat {
      index += 1
      driver.write(UInt32(index), to: Register.queueSel)
    } while driver.read(Register.queueSizeMax) != 0
    return index
  }

  /// From reset to DRIVER_OK with an empty queue.
  mutating func start() -> Bool {
    queue = DriverQueue(driver.machine, index: 0, size: Self.queueSize, at: area)
    guard driver.negotiate(features), driver.enable(queue) else { return false }
    driver.start()
    return !needsReset
  }

  /// Whether good requests have good answers: 32 bytes that are not all zero, or a sector that reads as it was written.
  mutating func works() -> Bool {
    let machine = driver.machine
    switch kind {
    case .entropy:
      for index in 0..<UInt64(4) { machine.store64(0, at: buffer + 8 * index) }
      queue.writeDescriptor(0, buffer, 32, flags: DriverQueue<MappedMachine>.writeFlag)
      guard request() == 32 else { return false }
      for index in 0..<UInt64(8) where machine.load32(buffer + 4 * index) != 0 { return true }
      return false
    case .block:
      sequence += 1
      guard transfer(writing: true, sequence) else { return false }
      for index in 0..<UInt64(128) { machine.store32(0, at: data + 4 * index) }
      guard transfer(writing: false) else { return false }
      for index in 0..<UInt64(128) where machine.load32(data + 4 * index) != sequence { return false }
      return true
    }
  }

  /// Sector 0, to be filled with `content`, or to be read.
  mutating func transfer(writing: Bool, _ content: UInt32 = 0) -> Bool {
    if writing {
      for index in 0..<UInt64(128) { driver.machine.store32(content, at: data + 4 * index) }
    }
    writeTransfer(writing: writing)
    return request() == (writing ? 1 : 513) && driver.machine.load8(buffer + 16) == 0
  }

  /// A request for sector 0 in the first three descriptors (virtio 1.3, 5.2.6): header, data, status.
  func writeTransfer(writing: Bool) {
    typealias Queue = DriverQueue<MappedMachine>
    let machine = driver.machine
    machine.store64(writing ? 1 : 0, at: buffer)
    machine.store64(0, at: buffer + 8)
    machine.store8(0xFF, at: buffer + 16)
    queue.writeDescriptor(0, buffer, 16, flags: Queue.nextFlag, next: 1)
    queue.writeDescriptor(1, data, 512, flags: writing ? Queue.nextFlag : Queue.nextFlag | Queue.writeFlag, next: 2)
    queue.writeDescriptor(2, buffer + 16, 1, flags: Queue.writeFlag)
  }

  /// Has the chain at descriptor 0 done.
  ///
  /// - Returns: how many bytes the device says it wrote, or `nil` if nothing came back within five seconds.
  private mutating func request() -> UInt32? {
    queue.offer(0)
    driver.notify(0)
    var used: DriverQueue<MappedMachine>.Used?
    _ = wait(milliseconds: 5000) {
      used = queue.takeUsed()
      return used != nil
    }
    return used?.head == 0 ? used?.written : nil
  }
}

/// Waits until `condition` holds.
///
/// - Returns: whether it did in time.
func wait(milliseconds: UInt64, _ condition: () -> Bool) -> Bool {
  let end = VirtualTimer.count + VirtualTimer.frequency * milliseconds / 1000
  while VirtualTimer.count < end {
    if condition() { return true }
    Nap.take()
  }
  return condition()
}

/// A fifth of a millisecond in which the host's processor is for the device. Interrupts stay masked: one that is
/// pending ends the wait all the same.
enum Nap {
  static func prepare() {
    guard let controller = InterruptController() else { return }
    controller.start()
    controller.enable(interrupt: VirtualTimer.interrupt)
  }

  static func take() {
    VirtualTimer.start(in: UInt32(VirtualTimer.frequency / 5000))
    Processor.waitForInterrupt()
    VirtualTimer.stop()
  }
}
