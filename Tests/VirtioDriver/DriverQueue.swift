/// The driver's side of a split virtqueue (virtio 1.3, 2.7): it builds good rings and, where it is told to, bad ones.
public struct DriverQueue<Machine: DriverMachine> {
  public static var nextFlag: UInt16 { 1 }
  public static var writeFlag: UInt16 { 2 }
  public static var indirectFlag: UInt16 { 4 }

  /// A piece of memory for the device to read or write.
  public struct Buffer {
    public var address: UInt64
    public var length: UInt32
    public var isWritable: Bool

    public init(_ address: UInt64, _ length: UInt32, isWritable: Bool) {
      self.address = address
      self.length = length
      self.isWritable = isWritable
    }
  }

  public struct Used: Equatable {
    public var head: UInt32
    public var written: UInt32

    public init(head: UInt32, written: UInt32) {
      self.head = head
      self.written = written
    }
  }

  public private(set) var machine: Machine
  public let index: Int
  public var size: UInt16
  public var descriptorTable: UInt64
  public var driverArea: UInt64
  public var deviceArea: UInt64
  public var nextAvailable: UInt16 = 0
  public var nextUsed: UInt16 = 0

  /// Lays the queue out from `base` (aligned to 16) and zeroes it.
  public init(_ machine: Machine, index: Int, size: UInt16, at base: UInt64) {
    self.machine = machine
    self.index = index
    self.size = size
    descriptorTable = base
    driverArea = base + 16 * UInt64(size)
    deviceArea = (driverArea + 6 + 2 * UInt64(size) + 3) & ~3
    var address = base
    while address < end {
      if end - address >= 8 {
        machine.store64(0, at: address)
        address += 8
      } else {
        machine.store8(0, at: address)
        address += 1
      }
    }
  }

  /// The same queue, in a machine whose memory is a copy.
  public init(_ queue: DriverQueue, movedTo machine: Machine) {
    self = queue
    self.machine = machine
  }

  /// The first address behind the queue.
  public var end: UInt64 { deviceArea + 6 + 8 * UInt64(size) }

  // MARK: Descriptors

  public func writeDescriptor(_ number: UInt16, _ address: UInt64, _ length: UInt32, flags: UInt16, next: UInt16 = 0) {
    writeDescriptor(inTable: descriptorTable, number, address, length, flags: flags, next: next)
  }

  public func writeDescriptor(
    inTable table: UInt64,
    _ number: UInt16,
    _ address: UInt64,
    _ length: UInt32,
    flags: UInt16,
    next: UInt16 = 0
  ) {
    let place = table + 16 * UInt64(number)
    machine.store64(address, at: place)
    machine.store32(length, at: place + 8)
    machine.store16(flags, at: place + 12)
    machine.store16(next, at: place + 14)
  }

  /// Chains `buffers` with the descriptors from `first` on.
  public func writeChain(_ buffers: [Buffer], from first: UInt16 = 0) {
    writeChain(inTable: descriptorTable, buffers, from: first)
  }

  public func writeChain(inTable table: UInt64, _ buffers: [Buffer], from first: UInt16 = 0) {
    var number = first
    for position in buffers.indices {
      let isLast = position == buffers.count - 1
      let flags = (isLast ? 0 : Self.nextFlag) | (buffers[position].isWritable ? Self.writeFlag : 0)
      writeDescriptor(
        inTable: table,
        number,
        buffers[position].address,
        buffers[position].length,
        flags: flags,
        next: isLast ? 0 : number + 1
      )
      number += 1
    }
  }

  // MARK: Rings

  /// Makes the chain that begins with descriptor `head` available.
  public mutating func offer(_ head: UInt16) {
    machine.store16(head, at: driverArea + 4 + 2 * UInt64(nextAvailable % size))
    nextAvailable &+= 1
    publish(nextAvailable)
  }

  /// Stores the available index.
  public func publish(_ available: UInt16) {
    machine.barrier()
    machine.store16(available, at: driverArea + 2)
    machine.barrier()
  }

  public func setAvailableFlags(_ flags: UInt16) { machine.store16(flags, at: driverArea) }

  /// used_event: the driver wants an interrupt when the used index passes it.
  public func setUsedEvent(_ index: UInt16) { machine.store16(index, at: driverArea + 4 + 2 * UInt64(size)) }

  /// avail_event: the device wants a notification when the available index passes it.
  public var availableEvent: UInt16 { machine.load16(deviceArea + 4 + 8 * UInt64(size)) }

  public var usedFlags: UInt16 { machine.load16(deviceArea) }

  public var usedIndex: UInt16 { machine.load16(deviceArea + 2) }

  /// The next element of the used ring, or `nil` while there is none.
  public mutating func takeUsed() -> Used? {
    guard usedIndex != nextUsed else { return nil }
    machine.barrier()
    let place = deviceArea + 4 + 8 * UInt64(nextUsed % size)
    nextUsed &+= 1
    return Used(head: machine.load32(place), written: machine.load32(place + 4))
  }
}
