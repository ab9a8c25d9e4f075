import Host

/// How much memory a machine may take of its host's, and what it has taken. On the device thread.
///
/// It has the machine's hot-plug regions, which ask it before they give their guest more.
final class MemoryBudget {
  /// The most bytes that the machine may have, or nil.
  private let limit: UInt64?
  /// Bytes that the guest may use: RAM, windows, and what is plugged.
  private var taken: UInt64
  private lazy var host = HostMemory()
  /// The regions that take from it.
  var regions: [HotplugRegion] = []

  /// What a plug leaves to the host and to the monitor itself, in bytes.
  private static let reserve: UInt64 = 64 << 20

  init(limit: UInt64?, taken: UInt64) {
    self.limit = limit
    self.taken = taken
  }

  /// Whether there is so much more to be had, and takes it. What was plugged and is not touched yet is promised: the
  /// host has to have it, too.
  func take(_ size: UInt64) -> Bool {
    if let limit, taken >= limit || size > limit - taken { return false }
    let promised = regions.reduce(0) { $0 + $1.untouchedSize }
    guard host.has(size + promised + Self.reserve) else { return false }
    taken += size
    return true
  }

  /// The guest has so much less.
  func giveBack(_ size: UInt64) { taken -= size }
}
