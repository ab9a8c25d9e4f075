internal import CGuestMemory
internal import GuestMemory

/// Flags of a descriptor (virtio 1.3, 2.7.5).
enum DescriptorFlags {
  static let next: UInt16 = 1
  static let write: UInt16 = 2
  static let indirect: UInt16 = 4
}

extension SplitVirtqueue {
  /// Follows a chain and checks every descriptor of it.
  ///
  /// - Parameter table: has `entries` descriptors, all of which the device reaches; any alignment.
  @unsafe
  func gather(
    into chain: inout DescriptorChain,
    from table: UnsafeMutableRawPointer,
    entries: Int,
    first: UInt16,
    isIndirect: Bool
  ) -> DriverFault? {
    // SAFETY: as the caller says.
    unsafe walk(into: &chain, from: table, entries: entries, Int(first), 0, isIndirect: isIndirect, isElsewhere: false)
  }

  /// Goes on where a buffer is not in the window. The usual chain's way calls nothing that comes back to it: it saves
  /// no registers, which would take as long as two descriptors.
  @unsafe
  @inline(never)
  func gatherElsewhere(
    into chain: inout DescriptorChain,
    from table: UnsafeMutableRawPointer,
    entries: Int,
    _ index: Int,
    _ visited: Int,
    isIndirect: Bool
  ) -> DriverFault? {
    // SAFETY: as the caller says.
    unsafe walk(into: &chain, from: table, entries: entries, index, visited, isIndirect: isIndirect, isElsewhere: true)
  }

  /// - Parameters:
  ///   - next: the index of the next descriptor, below `entries`.
  ///   - before: how many were looked at before.
  ///   - isElsewhere: whether it is known that not all is in the window.
  @unsafe
  @inline(__always)
  private func walk(
    into chain: inout DescriptorChain,
    from table: UnsafeMutableRawPointer,
    entries: Int,
    _ next: Int,
    _ before: Int,
    isIndirect: Bool,
    isElsewhere: Bool
  ) -> DriverFault? {
    var (index, visited) = (next, before)
    while true {
      if visited >= entries { return .chainTooLong }
      // SAFETY: the index is below the number of entries.
      let descriptor = unsafe guest_load_descriptor(table + 16 * index)
      if descriptor.flags & DescriptorFlags.indirect != 0 {
        guard !isIndirect else { return .indirectNested }
        return followIndirect(descriptor, into: &chain)
      }
      let isWritable = descriptor.flags & DescriptorFlags.write != 0
      if descriptor.length == 0 { return .descriptorLengthZero }
      if !isWritable, chain.writableBytes > 0 { return .readableAfterWritable }
      // SAFETY: the segment goes into the chain, which is used for this request only.
      if let segment = unsafe view.segmentInWindow(at: descriptor.address, count: descriptor.length) {
        guard unsafe chain.append(segment, isWritable: isWritable) else { return .chainTooLong }
      } else if !isElsewhere {
        // SAFETY: as above; this descriptor is looked at once more.
        return unsafe gatherElsewhere(
          into: &chain,
          from: table,
          entries: entries,
          index,
          visited,
          isIndirect: isIndirect
        )
      } else if let fault = appendPieces(of: descriptor, isWritable: isWritable, to: &chain) {
        return fault
      }
      if descriptor.flags & DescriptorFlags.next == 0 { return nil }
      index = Int(descriptor.next)
      if index >= entries { return .nextOutOfRange }
      visited += 1
    }
  }

  private func followIndirect(_ descriptor: guest_descriptor, into chain: inout DescriptorChain) -> DriverFault? {
    guard usesIndirectDescriptors else { return .indirectNotNegotiated }
    guard descriptor.flags & DescriptorFlags.next == 0 else { return .indirectWithNext }
    guard descriptor.length != 0, descriptor.length % 16 == 0 else { return .indirectLength }
    // SAFETY: the table's whole length was checked to lie in the window.
    guard let table = unsafe view.segmentInWindow(at: descriptor.address, count: descriptor.length) else {
      return followIndirectElsewhere(descriptor, into: &chain)
    }
    // SAFETY: as above.
    return unsafe gather(
      into: &chain,
      from: table.base,
      entries: Int(descriptor.length / 16),
      first: 0,
      isIndirect: true
    )
  }

  /// The rest of ``followIndirect(_:into:)``, for a table that is not in the window.
  @inline(never)
  private func followIndirectElsewhere(
    _ descriptor: guest_descriptor,
    into chain: inout DescriptorChain
  ) -> DriverFault? {
    let length = UInt64(descriptor.length)
    // SAFETY: the table's whole length is checked to lie side by side in what the device may read, or is copied.
    let place = unsafe view.place(of: descriptor.address, count: length, for: .read)
    guard
      let table = unsafe place ?? elsewhere?.copied(descriptor.address, count: length, limit: 16 * UInt64(size), view)
    else {
      view.refuse(descriptor.address, count: length, for: .read)
      return .indirectOutsideWindow
    }
    // SAFETY: as above.
    return unsafe gatherElsewhere(
      into: &chain,
      from: table,
      entries: Int(descriptor.length / 16),
      0,
      0,
      isIndirect: true
    )
  }

  /// Appends a buffer that is not in the window: several pieces become several segments. What is not for the device is
  /// refused and counted, once for the buffer.
  @inline(never)
  private func appendPieces(
    of descriptor: guest_descriptor,
    isWritable: Bool,
    to chain: inout DescriptorChain
  ) -> DriverFault? {
    let length = UInt64(descriptor.length)
    guard !descriptor.address.addingReportingOverflow(length - 1).overflow else {
      view.refuse()
      return .descriptorAddressOverflow
    }
    var done: UInt64 = 0
    while done < length {
      // SAFETY: the segment goes into the chain, which is used for this request only.
      let piece = unsafe view.run(
        at: descriptor.address + done,
        count: length - done,
        for: isWritable ? .write : .read
      )
      guard let piece = unsafe piece else {
        view.refuse(descriptor.address + done, count: length - done, for: isWritable ? .write : .read)
        return refusal(of: descriptor, at: done, isWritable: isWritable)
      }
      if done == 0 {
        guard unsafe chain.append(piece, isWritable: isWritable) else { return .chainTooLong }
      } else {
        guard unsafe chain.appendPiece(piece, isWritable: isWritable) else { return .tooManyPieces }
      }
      unsafe done += UInt64(piece.count)
    }
    view.hold(descriptor.address, count: length, queue: self.index, head: chain.head)
    return nil
  }

  private func refusal(of descriptor: guest_descriptor, at offset: UInt64, isWritable: Bool) -> DriverFault {
    if view.reaches(descriptor.address + offset, count: 1, for: isWritable ? .read : .write) {
      return isWritable ? .descriptorReadOnly : .descriptorWriteOnly
    }
    return offset > 0 ? .descriptorCrossesWindowEnd : .descriptorOutsideWindow
  }
}
