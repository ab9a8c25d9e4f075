public import GuestMemory

/// An IOMMU of pages.
public final class TestTranslation: DMATranslation, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  /// In bytes.
  public static let page = PrivateRAM.pageSize
  private var pages: [UInt64: (address: UInt64, permissions: DMAPermissions)] = [:]

  public init() {}

  public func map(_ page: UInt64, to address: UInt64, _ permissions: DMAPermissions = .readWrite) {
    pages[page] = (address, permissions)
  }

  /// Maps each page of the range to itself.
  public func mapIdentity(_ start: UInt64, size: UInt64) {
    for page in start / Self.page..<(start + size) / Self.page { map(page, to: page * Self.page) }
  }

  public func unmap(_ page: UInt64) { pages[page] = nil }

  public func translate(_ address: UInt64, for access: DMAPermissions) -> DMATranslationRun? {
    guard let page = pages[address / Self.page], page.permissions.isSuperset(of: access) else { return nil }
    let offset = address % Self.page
    return DMATranslationRun(address: page.address + offset, count: Self.page - offset)
  }
}
