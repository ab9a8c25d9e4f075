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
  /// - Parameter table: has `entries` descriptors, all in the window; any alignment.
  @unsafe
  func gather(
    into chain: inout DescriptorChain,
    from table: UnsafeMutableRawPointer,
    entries: Int,
    first: UInt16,
    isIndirect: Bool
  ) -> DriverFault? {
    var index = Int(first)
    var visited = 0
    while true {
      visited += 1
      if visited > entries { return .chainTooLong }
      // SAFETY: the index is below the number of entries.
      let descriptor = unsafe guest_load_descriptor(table + 16 * index)
      if descriptor.flags & DescriptorFlags.indirect != 0 {
        guard !isIndirect else { return .indirectNested }
        return followIndirect(descriptor, into: &chain)
      }
      if let fault = append(descriptor, to: &chain) { return fault }
      if descriptor.flags & DescriptorFlags.next == 0 { return nil }
      index = Int(descriptor.next)
      if index >= entries { return .nextOutOfRange }
    }
  }

  private func followIndirect(_ descriptor: guest_descriptor, into chain: inout DescriptorChain) -> DriverFault? {
    guard usesIndirectDescriptors else { return .indirectNotNegotiated }
    guard descriptor.flags & DescriptorFlags.next == 0 else { return .indirectWithNext }
    guard descriptor.length != 0, descriptor.length % 16 == 0 else { return .indirectLength }
    // SAFETY: the table's whole length was checked to lie in the window.
    guard let table = unsafe view.pointer(to: descriptor.address, count: UInt64(descriptor.length), for: .read) else {
      return .indirectOutsideWindow
    }
    // SAFETY: as above.
    return unsafe gather(
      into: &chain,
      from: table,
      entries: Int(descriptor.length / 16),
      first: 0,
      isIndirect: true
    )
  }

  private func append(_ descriptor: guest_descriptor, to chain: inout DescriptorChain) -> DriverFault? {
    let isWritable = descriptor.flags & DescriptorFlags.write != 0
    if descriptor.length == 0 { return .descriptorLengthZero }
    if !isWritable, chain.writableBytes > 0 { return .readableAfterWritable }
    // SAFETY: the segment goes into the chain, which is used for this request only.
    guard let segment = unsafe view.segmentInWindow(at: descriptor.address, count: descriptor.length) else {
      return appendPieces(of: descriptor, isWritable: isWritable, to: &chain)
    }
    return unsafe chain.append(segment, isWritable: isWritable) ? nil : .chainTooLong
  }

  /// The rest of ``append(_:to:)``, for a buffer that is not in the window: several pieces become several segments.
  /// What is not for the device is refused and counted, once for the buffer.
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
        view.refuse()
        return refusal(of: descriptor, at: done, isWritable: isWritable)
      }
      if done == 0 {
        guard unsafe chain.append(piece, isWritable: isWritable) else { return .chainTooLong }
      } else {
        guard unsafe chain.appendPiece(piece, isWritable: isWritable) else { return .tooManyPieces }
      }
      unsafe done += UInt64(piece.count)
    }
    return nil
  }

  private func refusal(of descriptor: guest_descriptor, at offset: UInt64, isWritable: Bool) -> DriverFault {
    if view.reaches(descriptor.address + offset, count: 1, for: isWritable ? .read : .write) {
      return isWritable ? .descriptorReadOnly : .descriptorWriteOnly
    }
    return offset > 0 ? .descriptorCrossesWindowEnd : .descriptorOutsideWindow
  }
}
