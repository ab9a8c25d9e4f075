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
  /// - Returns: nil where there is no device.
  @inline(__always)
  func read(_ address: UInt64, width: Int) -> UInt64? {
    guard let index = index(of: address, width: width) else { return nil }
    let offset = address - entries[index].start
    // SAFETY: the bus holds the device until it goes, which is after the last access.
    return unsafe entries[index].device._withUnsafeGuaranteedRef { $0.read(at: offset, width: width) }
  }

  /// Takes a write.
  ///
  /// - Returns: false where there is no device.
  @inline(__always)
  func write(_ value: UInt64, at address: UInt64, width: Int) -> Bool {
    guard let index = index(of: address, width: width) else { return false }
    let offset = address - entries[index].start
    // SAFETY: as for reads.
    unsafe entries[index].device._withUnsafeGuaranteedRef { $0.write(value, at: offset, width: width) }
    return true
  }

  /// The device all of whose bytes the access touches.
  @inline(__always)
  private func index(of address: UInt64, width: Int) -> Int? {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].start <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let offset = address - entries[low - 1].start
    guard offset < entries[low - 1].size, UInt64(width) <= entries[low - 1].size - offset else { return nil }
    return low - 1
  }
}
