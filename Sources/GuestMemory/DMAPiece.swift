/// What a device may do with memory.
public struct DMAPermissions: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8

  @inlinable
  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  // Made where they are used and not stored: a stored one is asked for by a call, on each request's way.

  /// The device may read.
  @inlinable
  public static var read: DMAPermissions { DMAPermissions(rawValue: 1) }
  /// The device may write.
  @inlinable
  public static var write: DMAPermissions { DMAPermissions(rawValue: 2) }
  /// Both: what the memory of a window is for, if nobody says otherwise.
  @inlinable
  public static var readWrite: DMAPermissions { DMAPermissions(rawValue: 3) }
}

/// One piece of a ``DMASpace``, as somebody else would map it.
public struct DMAPiece: Equatable, Sendable {
  /// The addresses that the piece has in the space; with a translation, those behind it.
  public let range: GuestRange
  /// What the device may do with all of it.
  public let permissions: DMAPermissions
  /// The memfd, whose first byte is the piece's. `nil`: memory of this process alone, which can't be lent.
  ///
  /// Valid as long as the space.
  public let fileDescriptor: Int32?

  public init(range: GuestRange, permissions: DMAPermissions, fileDescriptor: Int32?) {
    self.range = range
    self.permissions = permissions
    self.fileDescriptor = fileDescriptor
  }
}

/// What stands between a device's addresses and the guest's: an IOMMU.
///
/// A ``DMASpace`` asks it for every access. It may change its mind at any time; where less is mapped afterwards, it
/// calls ``DMASpace/reachBecameLess(_:)`` or ``DMASpace/reachBecameLess(in:_:)``. On the device thread only; nothing
/// may block.
public protocol DMATranslation: AnyObject, Sendable {
  /// Where the device's address leads, for all of `access`; `nil`: nowhere.
  ///
  /// A read and a write of the same address may have different answers. What is `nil` here may have been a question
  /// only; an access that was refused for it is told by ``refused(_:for:)``.
  func translate(_ address: UInt64, for access: DMAPermissions) -> DMATranslationRun?

  /// An access was refused, and `address` is the first of its bytes that leads nowhere: to tell the guest of it is the
  /// translation's. Nothing is changed by it.
  func refused(_ address: UInt64, for access: DMAPermissions)
}

extension DMATranslation {
  public func refused(_ address: UInt64, for access: DMAPermissions) {}
}

/// Addresses of a device that lie side by side in the guest's memory, too.
public struct DMATranslationRun: Equatable, Sendable {
  /// Where the first of them leads.
  public var address: UInt64
  /// How many bytes follow each other from there on: at least 1. More than are there are cut off.
  public var count: UInt64

  public init(address: UInt64, count: UInt64) {
    self.address = address
    self.count = count
  }
}
