// What the way through a window never asks.
extension DMAView {
  /// Whether each address is translated first.
  public var isTranslated: Bool {
    // SAFETY: the space lives as long as the view.
    unsafe shared.pointee.space.isTranslated
  }

  /// Whether all of the `count` bytes from `address` are for `access`, side by side or not. Counts nothing.
  public func covers(_ address: UInt64, count: UInt64, for access: DMAPermissions) -> Bool {
    if isInWindow(address, count: count) { return true }
    guard !address.addingReportingOverflow(max(count, 1) - 1).overflow else { return false }
    var done: UInt64 = 0
    while done < count {
      // SAFETY: what is found is counted and not used.
      guard let run = unsafe run(at: address + done, count: count - done, for: access) else { return false }
      unsafe done += UInt64(run.count)
    }
    return true
  }

  /// As ``pointer(to:count:for:)``, but counts nothing: what is `nil` here may be there in pieces.
  @unsafe
  public func place(of address: UInt64, count: UInt64, for access: DMAPermissions) -> UnsafeMutableRawPointer? {
    // SAFETY: the space lives as long as the view; what a place is used for is the caller's to vouch for.
    if isInWindow(address, count: count) { return unsafe pointer(to: address, count: count, for: access) }
    return unsafe shared.pointee.space.place(of: address, count: count, for: access)
  }

  /// Counts an access that was refused, and tells the translation of it where there is one.
  ///
  /// - Parameter count: of bytes, at least 1.
  public func refuse(_ address: UInt64, count: UInt64, for access: DMAPermissions) {
    refuse()
    _ = tellOfRefusal(address, count: count, for: access)
  }

  /// The same without counting, for what a driver sets up and the device never comes to touch.
  ///
  /// - Returns: whether there was something to tell.
  public func tellOfRefusal(_ address: UInt64, count: UInt64, for access: DMAPermissions) -> Bool {
    // SAFETY: the space lives as long as the view.
    return unsafe shared.pointee.space.tellOfRefusal(at: address, count: count, for: access)
  }

  // MARK: Requests under way, behind a translation

  /// The device begins to look up a request.
  public func beginHolds(queue: Int, head: UInt16) {
    guard isTranslated else { return }
    // SAFETY: the space lives as long as the view.
    unsafe shared.pointee.space.holds.begin(queue: queue, head: Int(head))
  }

  /// The device has looked up a buffer of the request, and may touch it until ``endHolds(queue:head:)``.
  ///
  /// - Parameter count: of bytes, at least 1; not beyond the last address.
  public func hold(_ address: UInt64, count: UInt64, queue: Int, head: UInt16) {
    guard isTranslated else { return }
    // SAFETY: as above.
    unsafe shared.pointee.space.holds.add(address, count: count, queue: queue, head: Int(head))
  }

  /// The device touches nothing of the request any longer.
  public func endHolds(queue: Int, head: UInt16) {
    guard isTranslated else { return }
    // SAFETY: as above.
    unsafe shared.pointee.space.holds.end(queue: queue, head: Int(head))
  }
}
