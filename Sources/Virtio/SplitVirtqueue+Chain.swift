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
  ) -> GuestFault? {
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

  private func followIndirect(_ descriptor: guest_descriptor, into chain: inout DescriptorChain) -> GuestFault? {
    guard usesIndirectDescriptors else { return .indirectNotNegotiated }
    guard descriptor.flags & DescriptorFlags.next == 0 else { return .indirectWithNext }
    guard descriptor.length != 0, descriptor.length % 16 == 0 else { return .indirectLength }
    // SAFETY: the table's whole length was checked to lie in the window.
    guard let table = unsafe view.pointer(to: descriptor.address, count: UInt64(descriptor.length)) else {
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

  private func append(_ descriptor: guest_descriptor, to chain: inout DescriptorChain) -> GuestFault? {
    let isWritable = descriptor.flags & DescriptorFlags.write != 0
    if descriptor.length == 0 { return .descriptorLengthZero }
    if !isWritable, chain.writableBytes > 0 { return .readableAfterWritable }
    // SAFETY: the segment goes into the chain, which is used for this request only.
    guard let segment = unsafe view.segment(at: descriptor.address, count: descriptor.length) else {
      return refusal(of: descriptor)
    }
    return unsafe chain.append(segment, isWritable: isWritable) ? nil : .chainTooLong
  }

  private func refusal(of descriptor: guest_descriptor) -> GuestFault {
    let last = descriptor.address.addingReportingOverflow(UInt64(descriptor.length) - 1)
    if last.overflow { return .descriptorAddressOverflow }
    return view.contains(descriptor.address, count: 1) ? .descriptorCrossesWindowEnd : .descriptorOutsideWindow
  }
}
