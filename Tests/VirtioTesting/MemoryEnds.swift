public import GuestMemory
public import VirtioDevices

/// An entropy source that counts up, and may run dry.
public final class CountingEntropy: EntropySource, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  /// In bytes.
  public var available = Int.max
  private var next: UInt8 = 1

  public init() {}

  public func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(buffer.count, available)
    for index in 0..<count {
      // SAFETY: below the buffer's count.
      unsafe buffer[index] = next
      next &+= 1
    }
    available -= count
    return count
  }
}

/// The host's end of a console port, in memory.
public final class MemoryPort: ConsolePort, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  /// What the guest wrote.
  public private(set) var taken: [UInt8] = []
  /// How many more bytes the port takes.
  public var room = Int.max
  /// What the guest will read.
  public var input: [UInt8] = []
  public private(set) var openings: [Bool] = []

  public init() {}

  public func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = min(bytes.count, room)
    // SAFETY: the bytes are valid for the call and are copied once.
    unsafe taken += UnsafeRawBufferPointer(rebasing: bytes[..<count])
    room -= count
    return count
  }

  public func give(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(buffer.count, input.count)
    // SAFETY: the buffer is valid for the call.
    unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]).copyBytes(from: input.prefix(count))
    input.removeFirst(count)
    return count
  }

  public func guestChanged(isOpen: Bool) { openings.append(isOpen) }

  /// As at the beginning.
  public func forget() {
    taken = []
    room = .max
    input = []
    openings = []
  }
}

/// The host's end of a network, in memory.
public final class MemoryNetwork: NetworkBackend, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  public let hasHeader: Bool
  public let offloads: NetworkOffloads
  public let ignoresChecksums: Bool
  /// What the guest sent.
  public private(set) var sent: [[UInt8]] = []
  /// How many more packets the back-end takes.
  public var room = Int.max
  /// What the guest will receive.
  public var incoming: [[UInt8]] = []
  public private(set) var accepted: [NetworkOffloads] = []
  public private(set) var dropped = 0
  public private(set) var commits = 0

  public init(hasHeader: Bool = false, offloads: NetworkOffloads = [], ignoresChecksums: Bool = false) {
    self.hasHeader = hasHeader
    self.offloads = offloads
    self.ignoresChecksums = ignoresChecksums
  }

  public func guestAccepts(_ offloads: NetworkOffloads) { accepted.append(offloads) }

  public func send(_ segments: UnsafeMutableBufferPointer<DMASegment>, size: Int) -> Bool {
    guard room > 0 else { return false }
    room -= 1
    var packet: [UInt8] = []
    for index in segments.indices {
      // SAFETY: the segments are valid until the commit and are copied once.
      let segment = unsafe segments[index]
      unsafe packet += UnsafeRawBufferPointer(start: segment.base, count: segment.count)
    }
    precondition(packet.count == size, "the size is that of all segments")
    sent.append(packet)
    return true
  }

  public func commit() { commits += 1 }

  public func nextPacketSize() -> Int? { incoming.first?.count }

  public func receive(into segments: UnsafeMutableBufferPointer<DMASegment>) -> Int {
    let packet = incoming.removeFirst()
    var position = 0
    for index in segments.indices {
      // SAFETY: the segments are valid for the call.
      let segment = unsafe segments[index]
      let count = unsafe min(segment.count, packet.count - position)
      unsafe UnsafeMutableRawBufferPointer(start: segment.base, count: count)
        .copyBytes(from: packet[position..<position + count])
      position += count
    }
    return position
  }

  public func dropPacket() {
    incoming.removeFirst()
    dropped += 1
  }

  /// As at the beginning.
  public func forget() {
    sent = []
    room = .max
    incoming = []
    accepted = []
  }
}
