import GuestMemory
import Peripherals
internal import Synchronization

/// What answers the guest's accesses to a range of addresses without memory.
///
/// A base class and not a protocol: the call is one indirect jump and counts no references. Both calls come on vCPU
/// threads, several at once.
class BusDevice {
  /// Answers a read of `width` bytes (1, 2, 4 or 8) at `offset` bytes from the start of the range.
  func read(at offset: UInt64, width: Int) -> UInt64 {
    preconditionFailure("a device answers reads")
  }

  /// Takes a write of `width` bytes (1, 2, 4 or 8) at `offset` bytes from the start of the range.
  func write(_ value: UInt64, at offset: UInt64, width: Int) {
    preconditionFailure("a device takes writes")
  }
}

/// The ranges of addresses that devices answer, fixed before the first instruction.
///
/// Look-ups neither lock nor count references.
struct Bus: ~Copyable, @unchecked Sendable {
  // SAFETY: @unchecked: nothing changes after the machine has started, and the devices lock for themselves.

  @safe
  private struct Entry {
    let start: UInt64
    let size: UInt64
    let device: Unmanaged<BusDevice>

    /// Whether the device has all bytes of an access.
    @inline(__always)
    func has(_ address: UInt64, _ width: Int) -> Bool {
      let offset = address &- start
      return offset < size && UInt64(truncatingIfNeeded: width) <= size &- offset
    }
  }

  /// Where one vCPU's last access went. Most go to the same device again, and are found without a search.
  struct Place {
    fileprivate var index = 0
  }

  private var entries: [Entry] = []

  deinit {
    // SAFETY: attach retained each device once.
    for entry in entries { unsafe entry.device.release() }
  }

  /// Puts a device on the bus.
  ///
  /// - Precondition: no other device has one of the addresses.
  mutating func attach(_ device: BusDevice, at range: GuestRange) {
    // SAFETY: deinit releases what is retained here.
    let entry = unsafe Entry(start: range.start.rawValue, size: range.size, device: .passRetained(device))
    let place = entries.firstIndex { $0.start > entry.start } ?? entries.endIndex
    precondition(place == 0 || entries[place - 1].start + entries[place - 1].size <= entry.start, "ranges are disjoint")
    precondition(place == entries.endIndex || entry.start + entry.size <= entries[place].start, "ranges are disjoint")
    entries.insert(entry, at: place)
  }

  /// Answers a read.
  ///
  /// - Parameter place: the caller's, for all its accesses; any place gives the same answer.
  /// - Returns: nil where there is no device.
  @inline(__always)
  func read(_ address: UInt64, width: Int, near place: inout Place) -> UInt64? {
    guard let entry = entry(of: address, width, near: &place) else { return nil }
    // SAFETY: the bus holds the device until it goes, which is after the last access.
    return unsafe entry.device._withUnsafeGuaranteedRef { $0.read(at: address &- entry.start, width: width) }
  }

  /// Takes a write.
  ///
  /// - Parameter place: as for reads.
  /// - Returns: false where there is no device.
  @inline(__always)
  func write(_ value: UInt64, at address: UInt64, width: Int, near place: inout Place) -> Bool {
    guard let entry = entry(of: address, width, near: &place) else { return false }
    // SAFETY: as for reads.
    unsafe entry.device._withUnsafeGuaranteedRef { $0.write(value, at: address &- entry.start, width: width) }
    return true
  }

  @inline(__always)
  private func entry(of address: UInt64, _ width: Int, near place: inout Place) -> Entry? {
    if place.index < entries.count {
      let entry = entries[place.index]
      if entry.has(address, width) { return entry }
    }
    let index = search(address)
    guard index >= 0 else { return nil }
    let entry = entries[index]
    guard entry.has(address, width) else { return nil }
    place.index = index
    return entry
  }

  /// The last device that does not start behind the address, or -1. Apart, so that the way without it stays short.
  @inline(never)
  private func search(_ address: UInt64) -> Int {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low &+ high) >> 1
      if entries[middle].start <= address { low = middle &+ 1 } else { high = middle }
    }
    return low &- 1
  }
}
