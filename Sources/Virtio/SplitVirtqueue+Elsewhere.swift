internal import CGuestMemory
internal import GuestMemory

/// A ring that the usual way of a queue does not reach: behind a translation, or in pieces that do not lie side by
/// side.
///
/// A part that does lie side by side is reached by its place all the same; of another one each access is looked up.
/// What is looked up in vain has gone while the queue was in use.
@safe
final class RingElsewhere {
  // SAFETY: the copy is allocated in init and freed in deinit; places are valid until the space reaches less, and the
  // queue stops before that.

  @safe
  struct Part {
    // SAFETY: see the top of the class.
    let address: UInt64
    let access: DMAPermissions
    let place: UnsafeMutableRawPointer?

    init(_ address: UInt64, _ count: UInt64, _ access: DMAPermissions, _ view: DMAView) {
      self.address = address
      self.access = access
      // SAFETY: see the top of the class.
      unsafe place = view.place(of: address, count: count, for: access)
    }
  }

  let descriptors: Part
  let available: Part
  let used: Part
  /// Room for a table of descriptors that lies in pieces, as many as the queue has.
  let copy: UnsafeMutableRawPointer

  init(_ configuration: QueueConfiguration, _ view: DMAView) {
    descriptors = Part(configuration.descriptorTable, configuration.descriptorTableSize, .read, view)
    available = Part(configuration.driverArea, configuration.driverAreaSize, .read, view)
    used = Part(configuration.deviceArea, configuration.deviceAreaSize, .write, view)
    unsafe copy = .allocate(byteCount: Int(configuration.descriptorTableSize), alignment: 16)
  }

  deinit { unsafe copy.deallocate() }

  /// Where `count` bytes of a part are that lie in one page; nil: nowhere any longer.
  @unsafe
  func place(in part: Part, at offset: Int, count: UInt64, _ view: DMAView) -> UnsafeMutableRawPointer? {
    // SAFETY: the offset is inside the part, as the caller says.
    if let place = unsafe part.place { return unsafe place + offset }
    guard let run = unsafe view.run(at: part.address + UInt64(offset), count: count, for: part.access),
      unsafe run.count == Int(count)
    else { return nil }
    return unsafe run.base
  }

  /// A table of descriptors that lies in pieces, copied; nil: it is larger than the limit, or not all of it is for the
  /// device.
  @unsafe
  func copied(_ address: UInt64, count: UInt64, limit: UInt64, _ view: DMAView) -> UnsafeMutableRawPointer? {
    guard count <= limit, !address.addingReportingOverflow(count).overflow else { return nil }
    var done: UInt64 = 0
    while done < count {
      // SAFETY: the copy has room for the limit.
      guard let run = unsafe view.run(at: address + done, count: count - done, for: .read) else { return nil }
      unsafe guest_copy(copy + Int(done), run.base, run.count)
      unsafe done += UInt64(run.count)
    }
    return unsafe copy
  }

  /// The ring's own table.
  @unsafe
  func table(_ view: DMAView, size: UInt16) -> UnsafeMutableRawPointer? {
    // SAFETY: as above.
    if let place = unsafe descriptors.place { return unsafe place }
    let count = 16 * UInt64(size)
    return unsafe copied(descriptors.address, count: count, limit: count, view)
  }
}

// Out of line, so that the usual way has one question more at some of its steps and nothing else.
extension SplitVirtqueue {
  /// A field of the available ring.
  private func available(_ ring: RingElsewhere, _ offset: Int) -> UInt16? {
    // SAFETY: a field is aligned to its size, so it lies in one page. Acquire, though only the index needs it.
    unsafe ring.place(in: ring.available, at: offset, count: 2, view).map { unsafe guest_load_acquire_u16($0) }
  }

  /// A field of the used ring.
  private func setUsed(_ ring: RingElsewhere, _ offset: Int, to value: UInt16) {
    // SAFETY: as above. Release, though only the index needs it.
    if let place = unsafe ring.place(in: ring.used, at: offset, count: 2, view) {
      unsafe guest_store_release_u16(place, value)
    }
  }

  @inline(never)
  func takeNextElsewhere(into chain: inout DescriptorChain) -> Next {
    guard let ring = elsewhere else { return .empty }
    guard let index = available(ring, 2) else { return .fault(.ringTakenAway) }
    let ahead = index &- nextAvailable
    if ahead == 0 { return .empty }
    if ahead > size { return .fault(.availableIndexJumped) }
    guard let head = available(ring, 4 + 2 * Int(nextAvailable & mask)) else { return .fault(.ringTakenAway) }
    guard head < size else { return .fault(.headOutOfRange) }
    if let fault = gatherElsewhere(head: head, into: &chain) { return .fault(fault) }
    noteTakenElsewhere(chain)
    return .chain
  }

  /// Fills the chain of a request, and notes what it uses until it is given back.
  @inline(never)
  func gatherElsewhere(head: UInt16, into chain: inout DescriptorChain) -> DriverFault? {
    guard let ring = elsewhere else { return nil }
    chain.begin(head: head)
    view.beginHolds(queue: index, head: head)
    // SAFETY: the table has `size` entries, and the head is below that.
    guard let table = unsafe ring.table(view, size: size) else { return .ringTakenAway }
    return unsafe gatherElsewhere(into: &chain, from: table, entries: Int(size), Int(head), 0, isIndirect: false)
  }

  @inline(never)
  var isEmptyElsewhere: Bool { elsewhere.flatMap { available($0, 2) }.map { $0 == nextAvailable } ?? true }

  @inline(never)
  func giveBackElsewhere(_ element: UInt64, head: UInt16, written: Int) {
    guard let ring = elsewhere else { return }
    let offset = 4 + 8 * Int(nextUsed & mask)
    // SAFETY: an element has two words of 4 bytes, aligned to that, of which each lies in one page.
    if let place = unsafe ring.place(in: ring.used, at: offset, count: 8, view) {
      unsafe guest_store_used_element(place, element)
    } else if let first = unsafe ring.place(in: ring.used, at: offset, count: 4, view),
      let second = unsafe ring.place(in: ring.used, at: offset + 4, count: 4, view)
    {
      unsafe withUnsafeBytes(of: element.littleEndian) { bytes in
        guard let start = bytes.baseAddress else { return }
        unsafe guest_copy(first, start, 4)
        unsafe guest_copy(second, start + 4, 4)
      }
    }
    nextUsed &+= 1
    view.noteWritten(written)
    view.endHolds(queue: index, head: head)
  }

  @inline(never)
  func publishElsewhere() -> Bool {
    guard let ring = elsewhere else { return false }
    let before = publishedUsed
    publishedUsed = nextUsed
    setUsed(ring, 2, to: nextUsed)
    guest_full_fence()
    guard usesEventIndex else { return (available(ring, 0) ?? 1) & 1 == 0 }
    guard let event = available(ring, 4 + 2 * Int(size)) else { return false }
    return nextUsed &- event &- 1 < nextUsed &- before
  }

  @inline(never)
  func suppressNotificationsElsewhere() {
    if let elsewhere { setUsed(elsewhere, 0, to: 1) }
  }

  @inline(never)
  func resumeNotificationsElsewhere(awaiting awaited: UInt16) -> Bool {
    guard let ring = elsewhere else { return false }
    if usesEventIndex {
      setUsed(ring, 4 + 8 * Int(size), to: awaited)
    } else {
      setUsed(ring, 0, to: 0)
    }
    guest_full_fence()
    return available(ring, 2).map { $0 != awaited } ?? false
  }
}
