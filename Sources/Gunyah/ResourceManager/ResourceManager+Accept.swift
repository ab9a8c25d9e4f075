/// The bits of ACCEPT's flags.
private enum AcceptFlags {
  static let validateCleared: UInt8 = 1
  static let validateLists: UInt8 = 2
  static let validateLabel: UInt8 = 4
  static let mapOther: UInt8 = 8
  static let contiguous: UInt8 = 16
  static let clearAtReclaim: UInt8 = 32
  static let done: UInt8 = 128
}

/// The size and alignment of the blocks that memory is mapped by where it can be.
private let blockSize: UInt64 = 0x20_0000

extension ResourceManager {
  func acceptParcel(
    _ sender: ManagedMachine,
    _ payload: inout PayloadReader,
    _ reply: inout PayloadWriter
  ) throws(RMError) {
    let handle: UInt32 = try payload.take()
    let kind: UInt8 = try payload.take()
    let transfer: UInt8 = try payload.take()
    let flags: UInt8 = try payload.take()
    try payload.skip(1)
    let label: UInt32 = try payload.take()
    let access = try takeAccess(&payload)
    let (ranges, mapped) = try takeRangesAndMachine(&payload)
    let attributes = try takeAttributes(&payload)
    try payload.end()

    let parcel = try parcel(handle)
    guard kind == 0, transfer == parcel.transfer.rawValue else { throw .argumentInvalid }
    try validate(parcel, flags, label, access, attributes)
    guard flags & AcceptFlags.mapOther == 0 else { throw .denied }
    guard mapped == VMID(0) else { throw .argumentInvalid }
    guard let rights = parcel.rights(of: sender.vmid) else { throw .vmidInvalid }
    let before = parcel.borrowings[sender.vmid]
    guard parcel.owner != sender.vmid, before?.isMapped != true, parcel.isComplete else { throw .denied }
    let isContiguous = flags & AcceptFlags.contiguous != 0
    guard before == nil || before?.isContiguous == isContiguous else { throw .argumentInvalid }
    if flags & AcceptFlags.clearAtReclaim != 0 {
      guard rights.contains(.write) else { throw .argumentInvalid }
    }

    let settled = try settle(parcel, sender, isContiguous: isContiguous, ranges, isDone: flags & AcceptFlags.done != 0)
    if flags & AcceptFlags.clearAtReclaim != 0 { parcel.isClearedAtReclaim = true }
    guard ranges.isEmpty else { return }
    reply.put(UInt16(settled.ranges.count))
    reply.put(UInt8(settled.isIncomplete ? 1 : 0))
    reply.put(UInt8(0))
    for range in settled.ranges {
      reply.put(range.start)
      reply.put(range.size)
    }
  }

  /// - Throws: ``RMError/validateFailed`` where the parcel is not what its receiver takes it for.
  private func validate(
    _ parcel: Memparcel,
    _ flags: UInt8,
    _ label: UInt32,
    _ access: [Memparcel.Access],
    _ attributes: [Memparcel.Attribute]
  ) throws(RMError) {
    if flags & AcceptFlags.validateCleared != 0, !parcel.isCleared { throw .validateFailed }
    if flags & AcceptFlags.validateLabel != 0, label != parcel.label { throw .validateFailed }
    if flags & AcceptFlags.validateLists != 0, access != parcel.access || attributes != parcel.attributes {
      throw .validateFailed
    }
  }

  /// Settles where a parcel, or a further part of it, is to be in a machine, and maps it if that was all.
  private func settle(
    _ parcel: Memparcel,
    _ machine: ManagedMachine,
    isContiguous: Bool,
    _ ranges: [(start: UInt64, size: UInt64)],
    isDone: Bool
  ) throws(RMError) -> (ranges: [PageRange], isIncomplete: Bool) {
    let before = machine.ownership
    var borrowing = parcel.borrowings[machine.vmid] ?? Memparcel.Borrowing(isContiguous: isContiguous)
    let sizes = isContiguous ? [parcel.size] : parcel.pieces.map(\.size)
    let missing = sizes[borrowing.addresses.count...].prefix(Self.maximumEntries)
    guard ranges.count <= missing.count else { throw .argumentInvalid }
    let chosen =
      ranges.isEmpty ? try choose(Array(missing), machine) : try check(ranges, sizes: Array(missing), machine)
    borrowing.addresses += chosen.map(\.start)
    guard !isDone || borrowing.addresses.count == sizes.count else { throw .argumentInvalid }
    guard machine.ownership.segments.count + chosen.count <= 2 * Self.maximumPieces else { throw .noMemory }
    let claims = chosen.sorted { $0.start < $1.start }.map { range in
      MemoryPiece(address: range.start, size: range.size, home: VMID(0), homeAddress: 0)
    }
    machine.ownership.insert(claims, .claimed(parcel.handle))
    if isDone {
      borrowing.isMapped = true
      do throws(RMError) {
        try mapParcel(parcel, machine, borrowing)
      } catch {
        machine.ownership = before
        throw error
      }
    }
    // A donation is over: there is nothing to be given back.
    if parcel.transfer != .donate || !isDone { parcel.borrowings[machine.vmid] = borrowing }
    return (chosen, borrowing.addresses.count < sizes.count)
  }

  /// Free ranges of a machine's addresses.
  private func choose(_ sizes: [UInt64], _ machine: ManagedMachine) throws(RMError) -> [PageRange] {
    var chosen: [PageRange] = []
    var lowest = blockSize
    for size in sizes {
      let alignment = size >= blockSize ? blockSize : PageRange.pageSize
      let end = machine.addressEnd
      guard
        let range = machine.ownership.firstFree(size: size, alignment: alignment, from: lowest, below: end)
      else { throw .noResource }
      chosen.append(range)
      lowest = range.end
    }
    return chosen
  }

  /// The ranges that a machine wants.
  private func check(
    _ wanted: [(start: UInt64, size: UInt64)],
    sizes: [UInt64],
    _ machine: ManagedMachine
  ) throws(RMError) -> [PageRange] {
    var checked: [PageRange] = []
    var wrong: RMError?
    for (range, size) in zip(wanted, sizes) {
      guard
        range.size == size, let range = PageRange(checking: range.start, size: size), range.end <= machine.addressEnd
      else {
        wrong = .argumentInvalid
        break
      }
      guard machine.ownership.isFree(range) else { throw .noResource }
      checked.append(range)
    }
    // What stands in the list twice is taken when it comes again, which is before the wrong one.
    guard !checked.overlapEachOther else { throw .noResource }
    if let wrong { throw wrong }
    return checked
  }

  /// Maps a parcel where it has been settled; the ends of a donation, too.
  private func mapParcel(
    _ parcel: Memparcel,
    _ machine: ManagedMachine,
    _ borrowing: Memparcel.Borrowing
  ) throws(RMError) {
    let places = parcel.places(borrowing)
    let rights = parcel.rights(of: machine.vmid) ?? []
    do throws(RMError) {
      try host.map(places.merged(), rights: rights, in: machine.vmid)
    } catch {
      throw error == .busy ? .busy : .mapFailed
    }
    let inOrder = places.inOrder()
    machine.ownership.remove(inOrder.map(\.range))
    machine.ownership.insert(inOrder, parcel.transfer == .donate ? .own : .borrowed(parcel.handle, rights))
    // An orphaned donation has nobody who could give it back either.
    guard parcel.transfer == .donate else { return }
    parcel.borrowings[machine.vmid] = nil
    guard let owner = machines[parcel.owner] else {
      parcels[parcel.handle] = nil
      return
    }
    owner.ownership.remove(parcel.pieces.sortedAndMerged().map(\.range))
    forget(parcel, of: owner)
  }

  /// Accepts a parcel for a machine that does not run yet, all of it in one place.
  ///
  /// - Parameter address: nil where any will do.
  func acceptWhole(
    _ parcel: Memparcel,
    in machine: ManagedMachine,
    at address: UInt64?
  ) throws(RMError) -> [MemoryPiece] {
    if let borrowing = parcel.borrowings[machine.vmid] { return parcel.places(borrowing) }
    let ranges = address.map { [(start: $0, size: parcel.size)] } ?? []
    let settled = try settle(parcel, machine, isContiguous: true, ranges, isDone: true)
    return parcel.pieces.placed(at: settled.ranges[0].start)
  }

  /// Accepts a parcel for a machine that does not run yet, if its device tree asks for its label.
  func acceptByLabel(_ parcel: Memparcel, in machine: ManagedMachine) throws(RMError) {
    guard parcel.isComplete, parcel.owner != machine.vmid, let configuration = machine.configuration else { return }
    guard let wanted = configuration.sharedMemory.first(where: { $0.label == parcel.label }) else { return }
    _ = try acceptWhole(parcel, in: machine, at: wanted.address)
  }
}
