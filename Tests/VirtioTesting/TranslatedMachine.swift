public import GuestMemory
public import Virtio
public import VirtioDevices
public import VirtioDriver
public import VirtioMMIO

/// A guest's RAM, for several machines of one device each.
public final class TestRAM: Sendable {
  let window: DMAWindow

  /// - Parameter size: in bytes, whole pages.
  public init(size: UInt64 = 0x10_0000) throws(GuestMemoryError) {
    window = DMAWindow(name: "open", opening: try PrivateRAM(range: GuestRange(at: 0x4000_0000, size: size)))
  }

  public var range: GuestRange { window.range }

  /// What a device behind an IOMMU sees of it.
  public func makeSpace(for number: UInt32, of iommu: IOMMU) -> DMASpace { iommu.makeSpace(for: number, of: window) }
}

/// A device behind an IOMMU, without KVM: its driver sees all of RAM, and the device what is mapped for it.
public final class TranslatedMachine: WindowMachine, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  public let transport: MMIOTransport
  public let line = CountingLine()
  public let observer = FaultRecorder()
  public let space: DMASpace
  private let ram: TestRAM

  /// - Parameters:
  ///   - device: not attached yet.
  ///   - number: by which the IOMMU knows it; nil: it is behind none, and reaches all of RAM.
  public init(_ device: any VirtioDevice, _ number: UInt32?, of iommu: IOMMU, _ ram: TestRAM, thread: any DeviceThread)
  {
    self.ram = ram
    space = ram.window.makeSpace()
    transport = MMIOTransport(
      device: device,
      space: number.map { iommu.makeSpace(for: $0, of: ram.window) } ?? ram.window.makeSpace(),
      line: line,
      thread: thread,
      observer: observer
    )
  }

  public var driver: Driver<TranslatedMachine> { Driver(self) }

  public var faults: [DriverFault] { observer.events.map(\.fault) }

  public var needsReset: Bool { driver.status & Status.deviceNeedsReset != 0 }

  public func readRegister(_ offset: UInt64, width: Int) -> UInt64 { transport.read(offset: offset, width: width) }

  public func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {
    transport.write(offset: offset, width: width, value: value)
  }
}

/// An IOMMU device with its driver, and a disk behind it whose queue is at the beginning of the sixteenth page.
public struct IOMMUFixture {
  public typealias Queue = DriverQueue<TranslatedMachine>

  public static var page: UInt64 { 0x1000 }
  /// The disk's number.
  public static var disk: UInt32 { 7 }
  /// The number of another device, which nobody drives.
  public static var other: UInt32 { 9 }

  public let ram: TestRAM
  public let iommu: IOMMU
  public let device: IOMMUDevice
  public let thread = ImmediateThread()
  public let machine: TranslatedMachine
  public var driver: IOMMUDriver<TranslatedMachine>
  public let backend = MemoryBlock(sectors: 64)
  public let block: BlockDevice<MemoryBlock>
  public let diskMachine: TranslatedMachine
  public var queue: Queue
  public let otherMachine: TranslatedMachine

  public init(mappingLimit: Int = IOMMU.mappingLimit) throws {
    ram = try TestRAM()
    iommu = IOMMU(memory: ram.range, mappingLimit: mappingLimit)
    device = IOMMUDevice(name: "iommu", iommu: iommu)
    machine = TranslatedMachine(device, nil, of: iommu, ram, thread: thread)
    block = BlockDevice(name: "disk", backend: backend)
    diskMachine = TranslatedMachine(block, Self.disk, of: iommu, ram, thread: thread)
    let entropy = EntropyDevice(name: "entropy", source: CountingEntropy())
    otherMachine = TranslatedMachine(entropy, Self.other, of: iommu, ram, thread: thread)
    driver = IOMMUDriver(machine, at: ram.range.start.rawValue)
    queue = Queue(diskMachine, index: 0, size: 16, at: ram.range.start.rawValue + 16 * Self.page)
    let transport = machine.transport
    device.whenReady = { [unowned transport] in transport.kickAgain(queue: 0) }
    precondition(driver.start(), "the driver gets on with the device")
  }

  /// The address of a page of RAM.
  public func page(_ number: UInt64) -> UInt64 { ram.range.start.rawValue + number * Self.page }

  /// The buffers of the disk's requests.
  public var buffer: UInt64 { page(32) }

  // Requests of each type, with the status as result; nil where there is no answer.

  public mutating func attach(domain: UInt32, endpoint: UInt32, flags: UInt32 = 0, reserved: UInt32 = 0) -> UInt32? {
    driver.attach(domain: domain, endpoint: endpoint, flags: flags, reserved: reserved)
    return driver.status()
  }

  public mutating func detach(domain: UInt32, endpoint: UInt32, reserved: UInt64 = 0) -> UInt32? {
    driver.detach(domain: domain, endpoint: endpoint, reserved: reserved)
    return driver.status()
  }

  public mutating func map(
    domain: UInt32,
    _ start: UInt64,
    _ last: UInt64,
    to target: UInt64,
    flags: UInt32 = 3
  ) -> UInt32? {
    driver.map(domain: domain, start, last, to: target, flags: flags)
    return driver.status()
  }

  public mutating func unmap(domain: UInt32, _ start: UInt64, _ last: UInt64, reserved: UInt32 = 0) -> UInt32? {
    driver.unmap(domain: domain, start, last, reserved: reserved)
    return driver.status()
  }

  public mutating func probe(endpoint: UInt32, reserved: UInt64 = 0, properties: UInt32? = nil) -> UInt32? {
    driver.probe(endpoint: endpoint, reserved: reserved, properties: properties)
    return driver.status()
  }

  public mutating func send(type: UInt32, readable: UInt64, writable: UInt32 = 4) -> UInt32? {
    driver.send(type: type, readable: readable, writable: writable)
    return driver.status()
  }

  /// Maps pages for domain 1 to themselves, or to others.
  ///
  /// - Returns: the status.
  public mutating func map(_ first: UInt64, count: UInt64 = 1, to target: UInt64? = nil, flags: UInt32 = 3) -> UInt32? {
    let (start, end, target) = (page(first), page(first + count), page(target ?? first))
    return map(domain: 1, start, end - 1, to: target, flags: flags)
  }

  public mutating func unmap(_ first: UInt64, count: UInt64 = 1) -> UInt32? {
    let (start, end) = (page(first), page(first + count))
    return unmap(domain: 1, start, end - 1)
  }

  /// Has the disk attached to domain 1 with its queue mapped, and started.
  public mutating func startDisk() {
    precondition(attach(domain: 1, endpoint: Self.disk) == 0, "the disk is attached")
    precondition(map(16) == 0, "the queue is mapped")
    precondition(enableDisk(), "the device takes its queue")
  }

  /// From reset to DRIVER_OK, with an empty queue.
  public mutating func enableDisk() -> Bool {
    queue = Queue(diskMachine, index: 0, size: 16, at: page(16))
    guard diskMachine.driver.negotiate(Feature.version1 | Feature.accessPlatform), diskMachine.driver.enable(queue)
    else { return false }
    diskMachine.driver.start()
    return !diskMachine.needsReset
  }

  /// Asks the disk for a sector, with header and status in the page of the buffer's page and the data behind them.
  public mutating func readSector(_ head: UInt16 = 0, at place: UInt64? = nil) {
    let place = place ?? buffer
    for offset: UInt64 in [0, 8] { diskMachine.store64(0, at: place + offset) }
    queue.writeChain(
      [
        .init(place, 16, isWritable: false), .init(place + 512, 512, isWritable: true),
        .init(place + 16, 1, isWritable: true),
      ],
      from: head
    )
    queue.offer(head)
    diskMachine.driver.notify(0)
  }

  /// The back-end's deferred requests are over.
  public func finishRequests() {
    backend.finishAll()
    _ = block.backendReady()
  }
}
