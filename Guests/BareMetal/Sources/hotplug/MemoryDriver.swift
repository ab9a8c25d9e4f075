internal import Support
internal import VirtioDriver

/// A driver of the memory device (virtio 1.3, 5.15), one request at a time.
struct MemoryDriver {
  enum Request {
    static let plug: UInt16 = 0
    static let unplug: UInt16 = 1
    static let unplugAll: UInt16 = 2
    static let state: UInt16 = 3
  }

  /// The type of a response, and for a state that was told 0x10 and the state.
  enum Response {
    static let acknowledged: UInt16 = 0
    static let refused: UInt16 = 1
    static let busy: UInt16 = 2
    static let error: UInt16 = 3
    static let plugged: UInt16 = 0x10
    static let unplugged: UInt16 = 0x11
    static let mixed: UInt16 = 0x12
    /// None came.
    static let none: UInt16 = 0xFFFF
  }

  let driver: Driver<MappedMachine>
  private let area: UInt64
  private var queue: DriverQueue<MappedMachine>

  private static var queueSize: UInt16 { 8 }

  init(_ machine: MappedMachine) {
    driver = Driver(machine)
    area = machine.windowStart
    queue = DriverQueue(machine, index: 0, size: Self.queueSize, at: area)
  }

  var blockSize: UInt64 { field(0) }
  var address: UInt64 { field(16) }
  var regionSize: UInt64 { field(24) }
  var usableSize: UInt64 { field(32) }
  var pluggedSize: UInt64 { field(40) }
  var requestedSize: UInt64 { field(48) }

  private func field(_ offset: UInt64) -> UInt64 {
    let low = driver.machine.readRegister(Register.configuration + offset, width: 4)
    return low | driver.machine.readRegister(Register.configuration + offset + 4, width: 4) << 32
  }

  var needsReset: Bool { driver.status & Status.deviceNeedsReset != 0 }

  /// From reset to DRIVER_OK with an empty queue.
  mutating func start() -> Bool {
    queue = DriverQueue(driver.machine, index: 0, size: Self.queueSize, at: area)
    guard driver.negotiate(driver.offeredFeatures & ~(1 << 29)), driver.enable(queue) else { return false }
    driver.start()
    return !needsReset
  }

  /// Sends a request and waits for its response.
  ///
  /// - Parameters:
  ///   - block: the first one, counted from the region's start.
  ///   - offset: from where that begins, in bytes.
  ///   - length: how many bytes of the request are given.
  mutating func ask(
    _ type: UInt16,
    block: UInt64 = 0,
    count: UInt64 = 0,
    offset: UInt64 = 0,
    length: UInt32 = 24
  ) -> UInt16 {
    let machine = driver.machine
    let request = area + 0x1000
    let response = area + 0x1040
    machine.store64(UInt64(type), at: request)
    machine.store64(address &+ block &* blockSize &+ offset, at: request + 8)
    machine.store64(count, at: request + 16)
    machine.store64(UInt64.max, at: response)
    machine.store64(UInt64.max, at: response + 8)
    queue.writeDescriptor(0, request, length, flags: DriverQueue<MappedMachine>.nextFlag, next: 1)
    queue.writeDescriptor(1, response, 10, flags: DriverQueue<MappedMachine>.writeFlag)
    queue.offer(0)
    driver.notify(0)
    var used: DriverQueue<MappedMachine>.Used?
    let isAnswered = wait {
      used = queue.takeUsed()
      return used != nil || needsReset
    }
    guard isAnswered, used?.head == 0, used?.written == 10 else { return Response.none }
    let answer = machine.load16(response)
    guard type == Request.state, answer == Response.acknowledged else { return answer }
    return Response.plugged + machine.load16(response + 8)
  }
}

/// Waits until `condition` holds, ten seconds at most.
///
/// - Returns: whether it did in time.
func wait(_ condition: () -> Bool) -> Bool {
  let end = VirtualTimer.count + VirtualTimer.frequency * 10
  while VirtualTimer.count < end { if condition() { return true } }
  return condition()
}
