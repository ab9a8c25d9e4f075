internal import CGuestMemory
internal import Virtio

/// The driver's side of a served device's queue, in memory of this process's own. Each chain is one indirect
/// descriptor.
@safe
final class PrivateQueue: @unchecked Sendable {
  // SAFETY: @unchecked: on the loop's thread only. The rings lie in the memory, which the queue keeps, with room for
  // `size` entries; granules are the slot's.

  private struct Slot {
    var isOpen = false
    var ticket: UInt64 = 0
    var readable = 0
    var writable = 0
    /// Bytes to read that have not come yet.
    var missing = 0
    /// First those to read, then those to write.
    var granules: [UInt32] = []
    var readableGranules = 0
  }

  let index: Int
  let size: UInt16
  private let memory: PrivateMemory
  private let descriptorTable: Int
  private let available: Int
  private let used: Int
  private let tables: Int
  private var slots: [Slot]
  private var nextAvailable: UInt16 = 0
  private var nextUsed: UInt16 = 0
  /// The driver has set the queue up.
  private(set) var isRunning = false

  /// How many bytes a queue's rings and tables take.
  static func size(_ size: UInt16) -> Int { place(size).end }

  private static func place(_ size: UInt16) -> (available: Int, used: Int, tables: Int, end: Int) {
    let available = 16 * Int(size)
    let used = (available + 6 + 2 * Int(size) + 3) & ~3
    let tables = (used + 6 + 8 * Int(size) + 15) & ~15
    return (available, used, tables, tables + 16 * Int(size) * Int(size))
  }

  /// - Parameter start: where in the memory, in bytes: a multiple of 16.
  init(index: Int, size: UInt16, _ memory: PrivateMemory, at start: Int) {
    self.index = index
    self.size = size
    self.memory = memory
    let place = Self.place(size)
    descriptorTable = start
    available = start + place.available
    used = start + place.used
    tables = start + place.tables
    slots = Array(repeating: Slot(), count: Int(size))
  }

  /// For the device.
  var configuration: QueueConfiguration {
    QueueConfiguration(
      size: size,
      descriptorTable: memory.address(descriptorTable),
      driverArea: memory.address(available),
      deviceArea: memory.address(used)
    )
  }

  /// Begins anew, with an empty ring.
  func start() {
    clear()
    isRunning = true
  }

  /// Forgets all chains. The device has let go of them.
  func clear() {
    for head in slots.indices where slots[head].isOpen { close(head) }
    (nextAvailable, nextUsed) = (0, 0)
    isRunning = false
    // SAFETY: two fields of each ring.
    unsafe memory.place(available).storeBytes(of: 0, as: UInt32.self)
    unsafe memory.place(used).storeBytes(of: 0, as: UInt32.self)
  }

  private func close(_ head: Int) {
    memory.give(slots[head].granules)
    slots[head].granules.removeAll(keepingCapacity: true)
    slots[head].isOpen = false
  }

  // MARK: Chains in

  /// Makes room for a chain.
  ///
  /// - Throws: ``MessageFault`` for one that can't be.
  func open(_ ticket: ChainTicket, readable: Int, writable: Int) throws(MessageFault) {
    let head = Int(ticket.head)
    guard isRunning, head < Int(size), !slots[head].isOpen else { throw .badTicket }
    guard readable + writable > 0 else { throw .badCount }
    let granule = PrivateMemory.granule
    let readableGranules = (readable + granule - 1) / granule
    let count = readableGranules + (writable + granule - 1) / granule
    guard count <= Int(size), memory.take(count, into: &slots[head].granules) else { throw .beyondCredit }
    slots[head].isOpen = true
    slots[head].ticket = ticket.rawValue
    slots[head].readable = readable
    slots[head].writable = writable
    slots[head].missing = readable
    slots[head].readableGranules = readableGranules
    describe(head)
  }

  /// Writes the chain's table, and the descriptor that names it.
  private func describe(_ head: Int) {
    let granule = PrivateMemory.granule
    let slot = slots[head]
    let table = tables + 16 * Int(size) * head
    for (number, block) in slot.granules.enumerated() {
      let isWritable = number >= slot.readableGranules
      let start = granule * (isWritable ? number - slot.readableGranules : number)
      let length = min(granule, (isWritable ? slot.writable : slot.readable) - start)
      let flags: UInt64 = (isWritable ? 2 : 0) | (number + 1 < slot.granules.count ? 1 : 0)
      store(
        memory.address(memory.offset(ofGranule: block)),
        UInt64(UInt32(length)) | flags << 32 | UInt64(number + 1) << 48,
        at: table + 16 * number
      )
    }
    let length = UInt64(16 * slot.granules.count)
    store(memory.address(table), length | 4 << 32, at: descriptorTable + 16 * head)
  }

  private func store(_ first: UInt64, _ second: UInt64, at offset: Int) {
    // SAFETY: a descriptor of the queue's.
    unsafe memory.place(offset).storeBytes(of: first.littleEndian, as: UInt64.self)
    unsafe memory.place(offset + 8).storeBytes(of: second.littleEndian, as: UInt64.self)
  }

  /// How many bytes to read a chain still misses.
  func missing(_ head: UInt16) -> Int { slots[Int(head)].missing }

  /// Takes the next bytes to read of a chain.
  ///
  /// - Parameter bytes: no more than are missing.
  func fill(_ head: UInt16, _ bytes: UnsafeRawBufferPointer) {
    let head = Int(head)
    var done = 0
    while done < bytes.count {
      let position = slots[head].readable - slots[head].missing
      let (number, start) = position.quotientAndRemainder(dividingBy: PrivateMemory.granule)
      let piece = min(PrivateMemory.granule - start, bytes.count - done)
      let offset = memory.offset(ofGranule: slots[head].granules[number]) + start
      // SAFETY: the piece is inside the granule and inside the bytes.
      unsafe memory.place(offset).copyMemory(from: bytes.baseAddress.unsafelyUnwrapped + done, byteCount: piece)
      slots[head].missing -= piece
      done += piece
    }
  }

  /// Gives a whole chain to the device.
  func offer(_ head: UInt16) {
    // SAFETY: the masked index is below the queue's size; the index is the ring's second field.
    unsafe guest_store_relaxed_u16(memory.place(available + 4 + 2 * Int(nextAvailable & (size - 1))), head)
    nextAvailable &+= 1
    unsafe guest_store_release_u16(memory.place(available + 2), nextAvailable)
    guest_full_fence()
  }

  /// The first descriptors of open chains that the device has taken, where it stands at `position`.
  func taken(at position: QueuePosition) -> [UInt16] {
    var waiting: Set<UInt16> = []
    var next = position.nextAvailable
    while next != nextAvailable {
      // SAFETY: the masked index is below the queue's size.
      waiting.insert(unsafe guest_load_relaxed_u16(memory.place(available + 4 + 2 * Int(next & (size - 1)))))
      next &+= 1
    }
    return (0..<size).filter { slots[Int($0)].isOpen && !waiting.contains($0) }
  }

  // MARK: Answers out

  /// Puts the answers that the device has given into what waits to be sent.
  ///
  /// - Parameter hasStatus: whether a chain's last byte is written apart from those before it.
  /// - Throws: ``MessageFault/full``.
  func collect(into output: FrameOutput, hasStatus: Bool) throws(MessageFault) {
    while true {
      // SAFETY: the index is the ring's second field.
      guard isRunning, unsafe guest_load_acquire_u16(memory.place(used + 2)) != nextUsed else { return }
      // SAFETY: the masked index is below the queue's size.
      let element = unsafe memory.place(used + 4 + 8 * Int(nextUsed & (size - 1))).loadUnaligned(as: UInt64.self)
      nextUsed &+= 1
      let head = Int(UInt32(truncatingIfNeeded: element))
      precondition(head < Int(size) && slots[head].isOpen, "the device gives back what it was given")
      try answer(head, min(Int(element >> 32), slots[head].writable), hasStatus: hasStatus, output)
      close(head)
    }
  }

  private func answer(_ head: Int, _ written: Int, hasStatus: Bool, _ output: FrameOutput) throws(MessageFault) {
    let slot = slots[head]
    var prefix = UInt64(UInt32(written))
    if hasStatus, written < slot.writable { prefix |= 1 << 32 | UInt64(byte(slot, slot.writable - 1)) << 40 }
    var done = 0
    var before = MessageWire.headerSize + MessageWire.completePrefix
    var kind = MessageKind.complete
    repeat {
      let piece = min(written - done, MessageWire.dataLimit)
      guard let place = unsafe output.append(before + piece) else { throw .full }
      let length = UInt32(before - MessageWire.headerSize + piece)
      // SAFETY: there is room for header, prefix and piece.
      unsafe FrameHeader(kind, length: length, queue: UInt16(index), ticket: slot.ticket).store(at: place)
      if kind == .complete {
        unsafe (place + MessageWire.headerSize).storeBytes(of: prefix.littleEndian, as: UInt64.self)
      }
      unsafe copy(slot, from: done, count: piece, to: place + before)
      done += piece
      before = MessageWire.headerSize
      kind = .more
    } while done < written
  }

  private func byte(_ slot: Slot, _ position: Int) -> UInt8 {
    var value: UInt8 = 0
    // SAFETY: one byte.
    unsafe withUnsafeMutableBytes(of: &value) { bytes in
      if let base = bytes.baseAddress { unsafe copy(slot, from: position, count: 1, to: base) }
    }
    return value
  }

  /// Copies bytes that the device has written.
  @unsafe
  private func copy(_ slot: Slot, from first: Int, count: Int, to destination: UnsafeMutableRawPointer) {
    var done = 0
    while done < count {
      let (number, start) = (first + done).quotientAndRemainder(dividingBy: PrivateMemory.granule)
      let piece = min(PrivateMemory.granule - start, count - done)
      let offset = memory.offset(ofGranule: slot.granules[slot.readableGranules + number]) + start
      // SAFETY: the piece is inside the granule, and the destination has room for all.
      unsafe (destination + done).copyMemory(from: memory.place(offset), byteCount: piece)
      done += piece
    }
  }
}
