import GuestABI

// The DMA windows of a confined machine, and how large they are where nobody says.

extension Configuration.DMA {
  /// In one word.
  var name: String {
    switch self {
    case .open: Board.openWindow
    case .confined: "confined"
    }
  }
}

extension Configuration {
  /// Which of the devices is the IOMMU that the others are behind, or nil.
  var iommu: Int? { devices.firstIndex { $0.kind.value.isIOMMU } }

  /// What devices may reach, in one word: those behind an IOMMU, where there is one.
  var reachName: String { iommu == nil ? dma.name : Board.translated }

  /// The devices that windows are for: all, or the IOMMU alone.
  private var windowed: [Device] { iommu.map { [devices[$0]] } ?? devices }

  /// The names of the windows that the devices use, each once, in the order of first use. None where DMA is open.
  var windowNames: [String] {
    guard case .confined = dma else { return [] }
    var names: [String] = []
    for device in windowed where !names.contains(device.window) { names.append(device.window) }
    return names
  }

  /// The bytes of each of those windows.
  var windowSizes: [UInt64] {
    guard case .confined(let size) = dma else { return [] }
    return windowNames.map { name in
      if let size { return size }
      let need = windowed.reduce(0) { $1.window == name ? $0 + $1.kind.value.windowNeed : $0 }
      let rounded = (need + MemoryMap.windowGranule - 1) / MemoryMap.windowGranule * MemoryMap.windowGranule
      return min(rounded, Self.windowLimit)
    }
  }

  /// The most bytes of a window. Linux keeps 24 bytes for each 2 KiB of its pool in one allocation, which is of 4 MiB
  /// at most with 4 KiB pages; for a larger pool it says that it failed, and lets the devices' drivers use other
  /// memory.
  static let windowLimit: UInt64 = 340 << 20
}
