import Host

/// An address in the guest's physical address space, in bytes.
///
/// It is a number, never a reference: what stands at the address can only be reached through the owner of a mapping
/// (``PrivateRAM`` or a DMA window).
public struct GuestAddress: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt64

  @inlinable
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  @inlinable
  public init(_ rawValue: UInt64) {
    self.rawValue = rawValue
  }

  @inlinable
  public static func < (left: GuestAddress, right: GuestAddress) -> Bool {
    left.rawValue < right.rawValue
  }

  /// The address `count` bytes further, or `nil` where that is beyond 2⁶⁴ − 1.
  @inlinable
  public func advanced(by count: UInt64) -> GuestAddress? {
    let (sum, overflow) = rawValue.addingReportingOverflow(count)
    return overflow ? nil : GuestAddress(sum)
  }

  /// The address itself or the last one below it that is a multiple of `alignment` (a power of two, in bytes).
  @inlinable
  public func alignedDown(to alignment: UInt64) -> GuestAddress {
    precondition(alignment.nonzeroBitCount == 1, "an alignment is a power of two")
    return GuestAddress(rawValue & ~(alignment - 1))
  }
}

extension GuestAddress: CustomStringConvertible {
  public var description: String { hexadecimalNumber(rawValue) }
}

/// A run of guest-physical addresses: `size` bytes from `start`. It may be empty and never wraps around 2⁶⁴.
public struct GuestRange: Hashable, Sendable {
  /// The first address of the run, also where it is empty.
  public let start: GuestAddress
  /// In bytes.
  public let size: UInt64

  /// - Returns: `nil` where the range would go beyond the last address.
  @inlinable
  public init?(start: GuestAddress, size: UInt64) {
    guard size == 0 || start.advanced(by: size - 1) != nil else { return nil }
    self.start = start
    self.size = size
  }

  /// A range that is known to fit, for the constants of a memory map.
  ///
  /// - Precondition: the range does not go beyond the last address.
  @inlinable
  public init(at start: UInt64, size: UInt64) {
    precondition(size == 0 || !start.addingReportingOverflow(size - 1).overflow, "a range never wraps around")
    self.start = GuestAddress(start)
    self.size = size
  }

  /// The first address behind the range, or `nil` for one that ends at 2⁶⁴.
  @inlinable
  public var end: GuestAddress? { start.advanced(by: size) }

  /// Whether all of the `count` bytes from `address` lie inside.
  @inlinable
  public func contains(_ address: GuestAddress, count: UInt64 = 1) -> Bool {
    guard address >= start else { return false }
    let offset = address.rawValue - start.rawValue
    return offset <= size && count <= size - offset
  }

  /// Whether all of another range lies in this one. An empty one does where it starts in it or at its end.
  @inlinable
  public func contains(_ other: GuestRange) -> Bool {
    contains(other.start, count: other.size)
  }

  /// Whether some byte lies in both.
  @inlinable
  public func overlaps(_ other: GuestRange) -> Bool {
    guard size > 0, other.size > 0 else { return false }
    return start.rawValue <= other.start.rawValue + (other.size - 1)
      && other.start.rawValue <= start.rawValue + (size - 1)
  }
}

extension GuestRange: CustomStringConvertible {
  public var description: String {
    size == 0 ? "\(start) (empty)" : "\(start)–\(hexadecimalNumber(start.rawValue + (size - 1)))"
  }
}
