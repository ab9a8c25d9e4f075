/// A driver of the IOMMU device (virtio 1.3, 5.13), one request at a time.
public struct IOMMUDriver<Machine: DriverMachine> {
  /// What a request came to: a status of the specification's, or one of these.
  public static var nothingWritten: UInt32 { 0x100 }

  public struct Fault: Equatable {
    public var reason: UInt32
    public var flags: UInt32
    public var endpoint: UInt32
    public var address: UInt64

    public init(reason: UInt32, flags: UInt32, endpoint: UInt32, address: UInt64) {
      self.reason = reason
      self.flags = flags
      self.endpoint = endpoint
      self.address = address
    }
  }

  public let driver: Driver<Machine>
  public private(set) var requests: DriverQueue<Machine>
  public private(set) var events: DriverQueue<Machine>
  private let area: UInt64
  private var length: UInt64 = 0
  private var writable: UInt32 = 0

  public static var queueSize: UInt16 { 16 }
  public static var probeSize: UInt32 { 64 }
  /// What VIRTIO_IOMMU_F_MAP_UNMAP is.
  public static var mapUnmap: UInt64 { 1 << 2 }

  private var machine: Machine { driver.machine }
  private var request: UInt64 { area + 0x800 }
  private var reply: UInt64 { area + 0x900 }

  /// - Parameter area: 4 KiB that the device reaches, and nobody else uses.
  public init(_ machine: Machine, at area: UInt64) {
    driver = Driver(machine)
    self.area = area
    requests = DriverQueue(machine, index: 0, size: Self.queueSize, at: area)
    events = DriverQueue(machine, index: 1, size: Self.queueSize, at: area + 0x400)
  }

  /// From reset to DRIVER_OK, with empty queues.
  public mutating func start(_ features: UInt64? = nil) -> Bool {
    requests = DriverQueue(machine, index: 0, size: Self.queueSize, at: area)
    events = DriverQueue(machine, index: 1, size: Self.queueSize, at: area + 0x400)
    guard driver.negotiate(features ?? driver.offeredFeatures & ~Feature.eventIndex), driver.enable(requests),
      driver.enable(events)
    else { return false }
    driver.start()
    return driver.status & Status.deviceNeedsReset == 0
  }

  /// Gives the device a buffer for an event.
  public mutating func offerEvent(_ number: UInt16) {
    events.writeDescriptor(number, event(number), 24, flags: DriverQueue<Machine>.writeFlag)
    events.offer(number)
    driver.notify(1)
  }

  private func event(_ number: UInt16) -> UInt64 { area + 0xA00 + 32 * UInt64(number) }

  /// The next event; its buffer is the driver's again.
  public mutating func takeFault() -> Fault? {
    guard let used = events.takeUsed(), used.written == 24 else { return nil }
    let place = event(UInt16(used.head))
    return Fault(
      reason: machine.load32(place),
      flags: machine.load32(place + 4),
      endpoint: machine.load32(place + 8),
      address: UInt64(machine.load32(place + 16)) | UInt64(machine.load32(place + 20)) << 32
    )
  }

  // MARK: Requests

  public mutating func attach(domain: UInt32, endpoint: UInt32, flags: UInt32 = 0, reserved: UInt32 = 0) {
    begin(1)
    put(domain)
    put(endpoint)
    put(flags)
    put(reserved)
    post()
  }

  public mutating func detach(domain: UInt32, endpoint: UInt32, reserved: UInt64 = 0) {
    begin(2)
    put(domain)
    put(endpoint)
    put(long: reserved)
    post()
  }

  public mutating func map(domain: UInt32, _ start: UInt64, _ last: UInt64, to target: UInt64, flags: UInt32 = 3) {
    begin(3)
    put(domain)
    put(long: start)
    put(long: last)
    put(long: target)
    put(flags)
    post()
  }

  public mutating func unmap(domain: UInt32, _ start: UInt64, _ last: UInt64, reserved: UInt32 = 0) {
    begin(4)
    put(domain)
    put(long: start)
    put(long: last)
    put(reserved)
    post()
  }

  public mutating func probe(endpoint: UInt32, reserved: UInt64 = 0, properties: UInt32? = nil) {
    begin(5)
    put(endpoint)
    for _ in 0..<8 { put(long: reserved) }
    post(writable: (properties ?? Self.probeSize) + 4)
  }

  /// A request of any type that is nothing but zeroes.
  ///
  /// - Parameter readable: bytes of it, 4 at least for its head to be there, and at most 128.
  public mutating func send(type: UInt32, readable: UInt64, writable: UInt32 = 4) {
    begin(type)
    while length < readable { put(0) }
    length = readable
    post(writable: writable)
  }

  private mutating func begin(_ type: UInt32) {
    length = 0
    put(type)
  }

  private mutating func put(_ word: UInt32) {
    machine.store32(word, at: request + length)
    length += 4
  }

  private mutating func put(long: UInt64) {
    put(UInt32(truncatingIfNeeded: long))
    put(UInt32(truncatingIfNeeded: long >> 32))
  }

  private mutating func post(writable: UInt32 = 4) {
    for word in 0..<UInt64(32) { machine.store32(0xEEEE_EEEE, at: reply + 4 * word) }
    self.writable = writable
    let flags = writable > 0 ? DriverQueue<Machine>.nextFlag : 0
    requests.writeDescriptor(0, request, UInt32(length), flags: flags, next: 1)
    if writable > 0 { requests.writeDescriptor(1, reply, writable, flags: DriverQueue<Machine>.writeFlag) }
    requests.offer(0)
    driver.notify(0)
  }

  /// The status of the request that was sent last; nil while there is no answer.
  public mutating func status() -> UInt32? {
    guard let used = requests.takeUsed() else { return nil }
    guard used.written > 0 else { return Self.nothingWritten }
    guard used.written == writable else { return 0x200 }
    let tail = reply + UInt64(writable - 4)
    return machine.load8(tail + 1) | machine.load8(tail + 2) | machine.load8(tail + 3) == 0
      ? UInt32(machine.load8(tail)) : 0x300
  }

  /// A byte of what was written before the status.
  public func property(_ offset: UInt64) -> UInt8 { machine.load8(reply + offset) }
}
