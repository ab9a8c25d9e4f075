extension ResourceManager {
  // MARK: Made

  func createParcel(
    _ transfer: Memparcel.Transfer,
    _ sender: ManagedMachine,
    _ payload: inout PayloadReader,
    _ reply: inout PayloadWriter
  ) throws(RMError) {
    let kind: UInt8 = try payload.take()
    try payload.skip(1)
    let flags: UInt8 = try payload.take()
    try payload.skip(1)
    let label: UInt32 = try payload.take()
    let access = try takeAccess(&payload)
    let ranges = try takeRanges(&payload)
    let attributes = try takeAttributes(&payload)
    try payload.end()

    guard !access.isEmpty, !ranges.isEmpty else { throw .argumentInvalid }
    guard transfer != .donate || access.count == 1 else { throw .argumentInvalid }
    guard sender.parcelCount < Self.maximumParcels else { throw .denied }
    let isDevice = kind == 1
    guard kind <= 1, !isDevice || flags & 1 == 0 else { throw .argumentInvalid }
    try check(access, of: transfer, isDevice: isDevice, owner: sender.vmid)
    try check(attributes, of: transfer, isDevice: isDevice, access)
    // No machine owns a device's registers here.
    guard !isDevice else { throw .memoryInvalid }

    let parcel = Memparcel(
      handle: newHandle(),
      owner: sender.vmid,
      transfer: transfer,
      label: label,
      isCleared: flags & 1 == 1,
      access: access,
      attributes: attributes
    )
    try add(ranges, to: parcel, sender)
    parcel.isComplete = flags & 2 == 0
    parcels[parcel.handle] = parcel
    sender.parcelCount += 1
    reply.put(parcel.handle)
  }

  private func check(
    _ access: [Memparcel.Access],
    of transfer: Memparcel.Transfer,
    isDevice: Bool,
    owner: VMID
  ) throws(RMError) {
    var seen: Set<VMID> = []
    for entry in access {
      guard seen.insert(entry.machine).inserted else { throw .argumentInvalid }
      guard machines[entry.machine] != nil, entry.rights.isValid else { throw .argumentInvalid }
      guard !isDevice || !entry.rights.contains(.execute) else { throw .argumentInvalid }
      let fullRights: MemoryRights = isDevice ? [.read, .write] : .all
      guard transfer != .donate || entry.rights == fullRights else { throw .denied }
    }
    guard seen.contains(owner) == (transfer == .share) else { throw .argumentInvalid }
  }

  private func check(
    _ attributes: [Memparcel.Attribute],
    of transfer: Memparcel.Transfer,
    isDevice: Bool,
    _ access: [Memparcel.Access]
  ) throws(RMError) {
    let normal: UInt16 = 0
    let device: UInt16 = 1
    let cached: UInt16 = 3
    var seen: Set<VMID> = []
    for attribute in attributes {
      guard seen.insert(attribute.machine).inserted else { throw .argumentInvalid }
      // KVM has no say in how a guest's memory is cached: uncached memory cannot be promised.
      guard [normal, device, cached].contains(attribute.value) else { throw .argumentInvalid }
      guard isDevice == (attribute.value == device) else { throw .argumentInvalid }
      guard transfer != .donate || attribute.value == normal || isDevice else { throw .argumentInvalid }
      guard access.contains(where: { $0.machine == attribute.machine }) else { throw .vmidInvalid }
    }
  }

  func appendToParcel(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let handle: UInt32 = try payload.take()
    let flags: UInt8 = try payload.take()
    try payload.skip(3)
    let ranges = try takeRanges(&payload)
    try payload.end()
    guard !ranges.isEmpty else { throw .argumentInvalid }
    let parcel = try parcel(handle)
    guard parcel.owner == sender.vmid, !parcel.isComplete else { throw .denied }
    try add(ranges, to: parcel, sender)
    parcel.isComplete = flags & 1 == 1
  }

  /// Takes memory from its owner into a parcel: all of it or nothing.
  private func add(
    _ ranges: [(start: UInt64, size: UInt64)],
    to parcel: Memparcel,
    _ owner: ManagedMachine
  ) throws(RMError) {
    var checked: [PageRange] = []
    var pieces: [MemoryPiece] = []
    var wrong: RMError?
    for range in ranges {
      guard let range = PageRange(checking: range.start, size: range.size) else {
        wrong = .argumentInvalid
        break
      }
      guard let parts = owner.ownership.pieces(of: range, .own) else { throw .memoryInvalid }
      checked.append(range)
      pieces += parts
    }
    // What stands in the list twice is away already when it comes again, which is before the wrong one.
    guard !checked.overlapEachOther else { throw .memoryInvalid }
    if let wrong { throw wrong }
    guard pieces.count <= Self.maximumPieces - owner.pieceCount else { throw .noMemory }
    if parcel.ownersRights != .all {
      try host.revoke(pieces.sortedAndMerged(), leaving: parcel.ownersRights, in: owner.vmid)
    }
    if parcel.isCleared { host.clear(pieces.merged()) }
    owner.ownership.change(pieces.sortedAndMerged().map(\.range), to: parcel.ownersUse)
    owner.pieceCount += pieces.count
    parcel.pieces += pieces
  }

  // MARK: Taken back

  func reclaimParcel(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let (handle, flags) = try takeHandle(&payload)
    try payload.end()
    let parcel = try parcel(handle)
    guard parcel.owner == sender.vmid else { throw .denied }
    guard parcel.borrowings.isEmpty else { throw .memoryInUse }
    guard !parcel.isLocked else { throw .denied }
    if flags & 1 == 1 { parcel.isClearedAtReclaim = true }
    takeBack(parcel, sender)
  }

  /// Gives a parcel's memory back to its owner, at its addresses, and forgets the parcel.
  func takeBack(_ parcel: Memparcel, _ owner: ManagedMachine) {
    if parcel.isClearedAtReclaim { host.clear(parcel.pieces.merged()) }
    if parcel.ownersRights != .all { host.restore(parcel.pieces.sortedAndMerged(), in: owner.vmid) }
    owner.ownership.change(parcel.pieces.sortedAndMerged().map(\.range), to: .own)
    forget(parcel, of: owner)
  }

  /// A parcel has come to its end, by its owner or by the receiver of a donation.
  func forget(_ parcel: Memparcel, of owner: ManagedMachine) {
    parcels[parcel.handle] = nil
    owner.parcelCount -= 1
    owner.pieceCount -= parcel.pieces.count
  }

  func dropIfOrphaned(_ parcel: Memparcel) {
    if parcel.owner == .resourceManager, parcel.borrowings.isEmpty { parcels[parcel.handle] = nil }
  }

  func releaseParcel(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let (handle, flags) = try takeHandle(&payload)
    try payload.end()
    let parcel = try parcel(handle)
    guard !parcel.isLocked else { throw .denied }
    guard let rights = parcel.rights(of: sender.vmid) else { throw .handleInvalid }
    guard parcel.owner != sender.vmid else { throw .denied }
    guard parcel.borrowings[sender.vmid] != nil else { throw .memoryReleased }
    if flags & 1 == 1 {
      guard rights.contains(.write) else { throw .argumentInvalid }
      parcel.isClearedAtReclaim = true
    }
    giveBack(parcel, sender)
  }

  /// Takes a parcel from a machine that has accepted it, if it has.
  func giveBack(_ parcel: Memparcel, _ machine: ManagedMachine) {
    guard let borrowing = parcel.borrowings[machine.vmid] else { return }
    let places = parcel.places(borrowing)
    if borrowing.isMapped { host.unmap(places.merged(), in: machine.vmid) }
    machine.ownership.remove(places.inOrder().map(\.range))
    parcel.borrowings[machine.vmid] = nil
    dropIfOrphaned(parcel)
  }

  // MARK: Told of

  func notifyOfParcel(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let (handle, kind) = try takeHandle(&payload)
    let tag: UInt32 = try payload.take()
    let parcel = try parcel(handle)
    guard parcel.tag == nil || parcel.tag == tag else { throw .argumentInvalid }
    switch kind {
    case 1:
      let receivers = try takeReceivers(&payload, of: parcel, sender)
      if parcel.tag == nil { parcel.tag = tag }
      for receiver in receivers { try tellShared(parcel, receiver) }
    case 2:
      try payload.end()
      try tellOwner(of: parcel, about: sender.vmid, isAccepted: false)
    case 4:
      try payload.end()
      try tellOwner(of: parcel, about: sender.vmid, isAccepted: true)
    case 8:
      let receivers = try takeReceivers(&payload, of: parcel, sender)
      var recall = PayloadWriter()
      recall.put(parcel.handle)
      recall.put(parcel.tag ?? 0)
      for receiver in receivers { notify(receiver.vmid, .parcelRecall, recall) }
    default: throw .argumentInvalid
    }
  }

  private func takeReceivers(
    _ payload: inout PayloadReader,
    of parcel: Memparcel,
    _ sender: ManagedMachine
  ) throws(RMError) -> [ManagedMachine] {
    guard parcel.owner == sender.vmid else { throw .denied }
    let count: UInt16 = try payload.take()
    try payload.skip(2)
    guard count > 0 else { throw .argumentInvalid }
    var numbers: [VMID] = []
    for _ in 0..<min(Int(count), parcel.access.count + 1) {
      numbers.append(VMID(try payload.take()))
      try payload.skip(2)
    }
    guard count <= parcel.access.count else { throw .argumentInvalid }
    try payload.end()
    var receivers: [ManagedMachine] = []
    for number in numbers {
      guard parcel.rights(of: number) != nil, let machine = machines[number] else { throw .argumentInvalid }
      receivers.append(machine)
    }
    return receivers
  }

  private func tellShared(_ parcel: Memparcel, _ receiver: ManagedMachine) throws(RMError) {
    guard receiver.state != .ready else {
      // It does not run yet: the manager accepts for it what its device tree asks for.
      let isAccepted: Bool
      do throws(RMError) {
        try acceptByLabel(parcel, in: receiver)
        // A donation that was accepted is no parcel any longer.
        isAccepted = parcel.borrowings[receiver.vmid] != nil || parcels[parcel.handle] == nil
      } catch {
        isAccepted = false
      }
      return try tellOwner(of: parcel, about: receiver.vmid, isAccepted: isAccepted)
    }
    var payload = PayloadWriter()
    payload.put(parcel.handle)
    payload.put(UInt8(0))
    payload.put(parcel.transfer.rawValue)
    payload.put(UInt8(parcel.isCleared ? 1 : 0))
    payload.put(UInt8(0))
    payload.put(parcel.owner.rawValue)
    payload.put(UInt16(0))
    payload.put(parcel.label)
    payload.put(parcel.tag ?? 0)
    payload.put(UInt32(parcel.access.count))
    for entry in parcel.access {
      payload.put(entry.machine.rawValue)
      payload.put(entry.rights.rawValue)
      payload.put(UInt8(0))
    }
    // Sizes alone: where the owner has it is the owner's business. A longer list would not fit a message.
    let sizes = parcel.pieces.prefix(Self.maximumEntries).map(\.size)
    payload.put(UInt32(sizes.count))
    for size in sizes { payload.put(size) }
    payload.put(UInt32(parcel.attributes.count))
    for attribute in parcel.attributes {
      payload.put(attribute.value)
      payload.put(attribute.machine.rawValue)
    }
    notify(receiver.vmid, .parcelShared, payload)
  }

  private func tellOwner(of parcel: Memparcel, about machine: VMID, isAccepted: Bool) throws(RMError) {
    guard parcel.rights(of: machine) != nil else { throw .handleInvalid }
    let hasIt = parcel.borrowings[machine] != nil
    guard hasIt == isAccepted else { throw hasIt ? .memoryInUse : .memoryReleased }
    var payload = PayloadWriter()
    payload.put(parcel.handle)
    payload.put(machine.rawValue)
    payload.put(UInt16(0))
    payload.put(parcel.tag ?? 0)
    notify(parcel.owner, isAccepted ? .parcelAccepted : .parcelReleased, payload)
  }

  // MARK: Read

  func parcel(_ handle: UInt32) throws(RMError) -> Memparcel {
    guard let parcel = parcels[handle] else { throw .handleInvalid }
    return parcel
  }

  private func takeHandle(_ payload: inout PayloadReader) throws(RMError) -> (UInt32, UInt8) {
    let handle: UInt32 = try payload.take()
    let flags: UInt8 = try payload.take()
    try payload.skip(3)
    return (handle, flags)
  }

  /// - Throws: ``RMError/noResource`` where a list says that it has more entries than one may have.
  private func takeCount(_ payload: inout PayloadReader) throws(RMError) -> Int {
    let count: UInt16 = try payload.take()
    guard count <= Self.maximumEntries else { throw .noResource }
    return Int(count)
  }

  func takeAccess(_ payload: inout PayloadReader) throws(RMError) -> [Memparcel.Access] {
    let count = try takeCount(&payload)
    try payload.skip(2)
    var access: [Memparcel.Access] = []
    for _ in 0..<count {
      let machine = VMID(try payload.take())
      access.append(Memparcel.Access(machine: machine, rights: MemoryRights(rawValue: try payload.take())))
      try payload.skip(1)
    }
    return access
  }

  func takeRanges(_ payload: inout PayloadReader) throws(RMError) -> [(start: UInt64, size: UInt64)] {
    let count = try takeCount(&payload)
    try payload.skip(2)
    return try takeRanges(count, &payload)
  }

  /// The entries of a list whose head has been read.
  func takeRanges(
    _ count: Int,
    _ payload: inout PayloadReader
  ) throws(RMError) -> [(start: UInt64, size: UInt64)] {
    var ranges: [(start: UInt64, size: UInt64)] = []
    for _ in 0..<count { ranges.append((start: try payload.take(), size: try payload.take())) }
    return ranges
  }

  /// The list of ACCEPT, whose head names a machine.
  func takeRangesAndMachine(
    _ payload: inout PayloadReader
  ) throws(RMError) -> (ranges: [(start: UInt64, size: UInt64)], machine: VMID) {
    let count = try takeCount(&payload)
    let machine = VMID(try payload.take())
    return (try takeRanges(count, &payload), machine)
  }

  func takeAttributes(_ payload: inout PayloadReader) throws(RMError) -> [Memparcel.Attribute] {
    let count = try takeCount(&payload)
    try payload.skip(2)
    var attributes: [Memparcel.Attribute] = []
    for _ in 0..<count {
      let value: UInt16 = try payload.take()
      attributes.append(Memparcel.Attribute(value: value, machine: VMID(try payload.take())))
    }
    return attributes
  }
}
