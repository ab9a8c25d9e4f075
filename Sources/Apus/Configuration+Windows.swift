import GuestABI

// The DMA windows of a confined machine, and how large they are where nobody says.

extension Configuration.DMA {
  /// In one word.
  var name: String {
    switch self {
    case .open: Board.openWindow
    case .shadow: "shadow"
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
  private var windowed: [Int] { iommu.map { [$0] } ?? Array(devices.indices) }

  /// The names of the windows that the devices use, each once, in the order of first use. None where DMA is open.
  var windowNames: [String] {
    guard case .confined = dma else { return [] }
    var names: [String] = []
    for index in windowed {
      let name = windowName(of: index)
      if !names.contains(name) { names.append(name) }
    }
    return names
  }

  /// The name of a device's window: of one whose back-end is elsewhere it is the device's own, unless it has another.
  func windowName(of index: Int) -> String {
    let device = devices[index]
    guard device.kind.value.isElsewhere, device.window == Device.defaultWindow else { return device.window }
    return "\(device.typeName)\(index)"
  }

  /// What is wrong with a window that a device elsewhere does not have alone: what another process sees there would be
  /// another device's.
  var windowSharingProblems: [ConfigurationError.Problem] {
    guard case .confined = dma, iommu == nil else { return [] }
    var problems: [ConfigurationError.Problem] = []
    for index in devices.indices where devices[index].kind.value.isElsewhere {
      let name = windowName(of: index)
      guard let other = devices.indices.first(where: { $0 != index && windowName(of: $0) == name }) else { continue }
      if devices[other].kind.value.isElsewhere, other > index { continue }
      problems.append(
        .init(
          .usage,
          .device(index, .window),
          "another process sees all of '\(name)', which is also \(at: .device(other, .whole))'s; give it its own window"
        )
      )
    }
    return problems
  }

  /// The bytes of each of those windows.
  var windowSizes: [UInt64] {
    guard case .confined(let size) = dma else { return [] }
    return windowNames.map { name in
      if let size { return size }
      let need = windowed.reduce(0) {
        windowName(of: $1) == name ? $0 + devices[$1].kind.value.windowNeed : $0
      }
      let rounded = (need + MemoryMap.windowGranule - 1) / MemoryMap.windowGranule * MemoryMap.windowGranule
      return min(rounded, Self.windowLimit)
    }
  }

  /// The most bytes of a window. Linux keeps 24 bytes for each 2 KiB of its pool in one allocation, which is of 4 MiB
  /// at most with 4 KiB pages; for a larger pool it says that it failed, and lets the devices' drivers use other
  /// memory.
  static let windowLimit: UInt64 = 340 << 20
}
