internal import GuestMemory
internal import Host

/// A part of the guest's memory as a front-end shows it: where the guest has it, where the front-end has it mapped,
/// which its rings' addresses are of, and the file.
struct VhostUserRegion {
  /// Where the guest sees it.
  let range: GuestRange
  /// Where the front-end has it, in its own addresses.
  let user: GuestRange
  let memory: ForeignMemory

  /// Bytes of a region's description (vhost-user, "Memory region description").
  static let descriptionSize = 32

  /// Reads a description and maps what it names.
  ///
  /// - Throws: ``VhostUserError/malformed(_:)`` for numbers that can't be; ``VhostUserError/unusable(_:)`` for a file
  ///   that doesn't have them.
  init(_ payload: [UInt8], at offset: Int, _ descriptor: VhostUserDescriptor) throws(VhostUserError) {
    let numbers = (0..<4).map { payload.number(at: offset + 8 * $0, as: UInt64.self) ?? 0 }
    let (start, size, address, fileOffset) = (numbers[0], numbers[1], numbers[2], numbers[3])
    guard size > 0 else { throw .malformed("a memory region of no bytes") }
    guard let range = GuestRange(start: GuestAddress(start), size: size),
      let user = GuestRange(start: GuestAddress(address), size: size), size <= UInt64(Int.max)
    else { throw .malformed("a memory region that goes beyond the last address") }
    guard start % PrivateRAM.pageSize == 0, fileOffset % PrivateRAM.pageSize == 0 else {
      throw .malformed("a memory region that does not begin at a page")
    }
    do throws(ForeignMemoryError) {
      memory = try ForeignMemory(descriptor: descriptor.rawValue, offset: fileOffset, size: size)
    } catch {
      throw .unusable("the file of its memory at \(range) \(error)")
    }
    self.range = range
    self.user = user
  }

  /// The same, where the front-end has it elsewhere by now.
  init(_ region: VhostUserRegion, user: GuestRange) {
    range = region.range
    self.user = user
    memory = region.memory
  }

  /// Whether both are the same bytes at the same place of the guest.
  func isSame(as other: VhostUserRegion) -> Bool {
    range == other.range && memory.offset == other.memory.offset && memory.file == other.memory.file
      && memory.file != nil
  }

  /// Whether the guest, or the front-end, would have two things at one place.
  func overlaps(_ other: VhostUserRegion) -> Bool { range.overlaps(other.range) || user.overlaps(other.user) }
}

extension [VhostUserRegion] {
  /// Reads SET_MEM_TABLE's payload (vhost-user, "Multiple memory regions description").
  ///
  /// - Throws: as the region; and where they contradict each other, or there are not as many as it says.
  init(_ message: VhostUserMessage) throws(VhostUserError) {
    let count = message.payload.number(at: 0, as: UInt32.self) ?? 0
    guard count <= VhostUserWire.regionLimit else { throw .malformed("a table of \(count) memory regions") }
    guard message.payload.count == 8 + Int(count) * VhostUserRegion.descriptionSize,
      message.descriptors.count == Int(count)
    else {
      throw .malformed(
        "a table of \(count) memory regions with \(message.payload.count) bytes and \(message.descriptors.count) files"
      )
    }
    self = []
    for index in 0..<Int(count) {
      let region = try VhostUserRegion(
        message.payload,
        at: 8 + index * VhostUserRegion.descriptionSize,
        message.descriptors[index]
      )
      guard !contains(where: { $0.overlaps(region) }) else { throw .malformed("memory regions that overlap") }
      append(region)
    }
  }

  /// Where the guest has what the front-end has at an address; nil: nowhere.
  func guestAddress(ofUser address: UInt64) -> UInt64? {
    for region in self where region.user.contains(GuestAddress(address)) {
      return region.range.start.rawValue + (address - region.user.start.rawValue)
    }
    return nil
  }
}
