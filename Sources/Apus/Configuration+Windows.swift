import GuestABI
import VirtioDevices

// The DMA windows of a confined machine, and how large they are where nobody says.

extension Configuration {
  /// The names of the windows that the devices use, each once, in the order of first use. None where DMA is open.
  var windowNames: [String] {
    guard case .confined = dma else { return [] }
    var names: [String] = []
    for device in devices where !names.contains(device.window) { names.append(device.window) }
    return names
  }

  /// The bytes of each of those windows.
  var windowSizes: [UInt64] {
    guard case .confined(let size) = dma else { return [] }
    return windowNames.map { name in
      if let size { return size }
      let need = devices.reduce(0) { $1.window == name ? $0 + $1.windowNeed : $0 }
      let rounded = (need + MemoryMap.windowGranule - 1) / MemoryMap.windowGranule * MemoryMap.windowGranule
      return min(rounded, Self.windowLimit)
    }
  }

  /// The most bytes of a window. Linux keeps 24 bytes for each 2 KiB of its pool in one allocation, which is of 4 MiB
  /// at most with 4 KiB pages; for a larger pool it says that it failed, and lets the devices' drivers use other
  /// memory.
  static let windowLimit: UInt64 = 340 << 20
}

extension Configuration.Device {
  /// A guest's page, which is also the least that a ring takes.
  private static let page: UInt64 = 4 << 10
  /// What Linux takes of its pool for the smallest buffer (IO_TLB_SIZE).
  private static let slot: UInt64 = 2 << 10

  /// How many bytes of its window the device's driver in Linux has in use at the same time: the rings, and as many
  /// bytes for each descriptor as the driver gives to one. A driver that finds the pool full tries again later, or
  /// drops.
  ///
  /// Not more than that, for Linux zeroes the whole of a pool when it starts, and the host has zeroed it before.
  var windowNeed: UInt64 {
    switch kind {
    case .entropy:
      // One buffer at a time, of a cache line.
      return Self.page + Self.slot
    case .scmi:
      // A message to a buffer, none of which is larger than a slot.
      let descriptors = UInt64(QueueSize.scmiCommand) + UInt64(QueueSize.scmiEvent)
      return 4 * Self.page + descriptors * Self.slot
    case .console(let console):
      // Each queue that receives is filled with pages; a queue that transmits has one write of 32 KiB at a time. There
      // is one pair for the control messages, one for `virtme.ret` and one for each port.
      let pairs = UInt64(console.ports.count) + (console.carriesConsole ? 3 : 2)
      return pairs * (2 * Self.page + UInt64(QueueSize.console) * Self.page + (32 << 10))
    case .network:
      // The receive queue is filled with buffers of at most a page; what is sent is in pieces of at most 32 KiB, with a
      // header of its own for each 64 KiB.
      let queue = UInt64(QueueSize.network)
      return 8 * Self.page + queue * Self.page + queue / 3 * (64 << 10)
    case .block(let block):
      // As many segments as there are descriptors, none of them larger than the device takes.
      let queue = 2 * Self.page + UInt64(QueueSize.block) * UInt64(BlockSegment.maximum)
      return UInt64(block.queueCount) * queue
    }
  }
}
