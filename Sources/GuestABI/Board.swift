package import GuestMemory
import Host

/// What a configuration comes to: where everything stands, resolved once.
///
/// Pure arithmetic, one direction. KVM, the bus, the device tree, the plan and the report read it, and derive nothing
/// themselves. It never changes, and who needs it holds it: a class, lest each copy it.
package final class Board: Sendable {
  /// The interrupt controller's version.
  package let gic: GICVersion
  /// How many vCPUs.
  package let cpuCount: Int
  /// Where everything stands.
  package let map: MemoryMap
  /// How many interrupts the controller has.
  package let interruptCount: UInt32
  /// The command line that the kernel gets.
  package let commandLine: String
  /// The DMA windows, none where DMA is open.
  package let windows: [Window]
  /// The regions of hot-plug memory in the order of the configuration.
  package let hotplugRegions: [HotplugRegion]
  /// The virtio devices in the order of the configuration.
  package let devices: [DevicePlace]
  /// Which of them is the IOMMU that the others are behind, or nil.
  package let iommu: Int?
  /// What the guest finds of an SCMI platform.
  package let platform: MachineTree.SCMI?
  /// Whether it finds the hypervisor Gunyah, and not KVM.
  package let isGunyah: Bool

  /// KVM's memory slots.
  package enum MemorySlot {
    /// The whole of RAM.
    package static let ram: UInt32 = 0
    /// The page of exception vectors for a guest that has none yet.
    package static let earlyVectors: UInt32 = 1
    /// The first DMA window; the others follow, and then the hot-plug regions' own.
    package static let firstWindow: UInt32 = 2
    /// How many a hot-plug region has.
    package static let perHotplugRegion: UInt32 = 1024
    /// The first one of RAM in pieces, of which a part was given to another machine: behind those of as many hot-plug
    /// regions as there can be. KVM has 32,767.
    package static let firstOfPieces: UInt32 = 24_576
    /// How many there are of those.
    package static let pieceCount: UInt32 = 8_000
  }

  /// Memory that devices reach.
  package struct Window: Equatable, Sendable {
    /// The configuration's name.
    package let name: String
    /// Behind RAM.
    package let range: GuestRange
    /// KVM's number.
    package let memorySlot: UInt32
  }

  /// Memory that the guest plugs and unplugs.
  package struct HotplugRegion: Equatable, Sendable {
    /// The configuration's name.
    package let name: String
    /// Behind RAM and the windows.
    package let range: GuestRange
    /// KVM's numbers for it.
    package let memorySlots: Range<UInt32>
  }

  /// A region of hot-plug memory that is to have a place.
  package struct WantedRegion: Sendable {
    /// The configuration's name.
    package let name: String
    /// In bytes, a multiple of ``MemoryMap/hotplugGranule``.
    package let size: UInt64

    package init(name: String, size: UInt64) {
      self.name = name
      self.size = size
    }
  }

  /// Where a virtio device stands.
  package struct DevicePlace: Equatable, Sendable {
    /// From 0, in the order of the configuration.
    package let index: Int
    /// Type and index, by which events and the report know it.
    package let name: String
    /// How many devices of its type come before it.
    package let ordinal: Int
    /// The addresses of its virtio-mmio transport.
    package let registers: GuestRange
    /// Its shared peripheral interrupt, counted from 0.
    package let interrupt: UInt32
    /// Which of the windows it is confined to, or nil where it reaches all of RAM.
    package let window: Int?
    /// By which number the IOMMU knows it that it is behind; nil where it is behind none.
    package let endpoint: UInt32?
  }

  /// A virtio device that is to have a place.
  package struct WantedDevice: Sendable {
    /// The device type, in one word.
    package let type: String
    /// The name of its window.
    package let window: String
    /// Whether it is the IOMMU of the others. One at most is.
    package let isIOMMU: Bool

    package init(type: String, window: String, isIOMMU: Bool = false) {
      self.type = type
      self.window = window
      self.isIOMMU = isIOMMU
    }
  }

  /// Lays out a machine.
  ///
  /// - Parameters:
  ///   - gic: what the host gives, or is expected to give.
  ///   - cpuCount: 1 or more; with a GICv2 at most ``MemoryMap/v2CPULimit``.
  ///   - memorySize: bytes of RAM, a multiple of ``MemoryMap/ramGranule``.
  ///   - commandLine: that the kernel gets.
  ///   - windowNames: of the DMA windows, none where DMA is open.
  ///   - windowSizes: in bytes, multiples of ``MemoryMap/windowGranule``.
  ///   - wantedRegions: the regions of hot-plug memory.
  ///   - wanted: the virtio devices, at most ``MemoryMap/virtioDeviceLimit``.
  ///   - platform: what the guest finds of an SCMI platform.
  ///   - isGunyah: whether it finds the hypervisor Gunyah, and not KVM.
  package init(
    gic: GICVersion,
    cpuCount: Int,
    memorySize: UInt64,
    commandLine: String,
    windowNames: [String],
    windowSizes: [UInt64],
    hotplugRegions wantedRegions: [WantedRegion],
    devices wanted: [WantedDevice],
    platform: MachineTree.SCMI?,
    isGunyah: Bool = false
  ) {
    self.gic = gic
    self.cpuCount = cpuCount
    map = MemoryMap(
      cpuCount: cpuCount,
      memorySize: memorySize,
      gic: gic,
      windowSizes: windowSizes,
      hotplugSizes: wantedRegions.map(\.size)
    )
    self.commandLine = commandLine
    windows = zip(windowNames, map.windows).enumerated().map { index, window in
      Window(name: window.0, range: window.1, memorySlot: MemorySlot.firstWindow + UInt32(index))
    }
    let firstSlot = MemorySlot.firstWindow + UInt32(windowNames.count)
    hotplugRegions = zip(wantedRegions, map.hotplug).enumerated().map { index, region in
      let start = firstSlot + UInt32(index) * MemorySlot.perHotplugRegion
      return HotplugRegion(
        name: region.0.name,
        range: region.1,
        memorySlots: start..<start + MemorySlot.perHotplugRegion
      )
    }
    let iommu = wanted.firstIndex { $0.isIOMMU }
    var places: [DevicePlace] = []
    for (index, device) in wanted.enumerated() {
      let endpoint = iommu.flatMap { $0 == index ? nil : UInt32(index) }
      places.append(
        DevicePlace(
          index: index,
          name: device.type + decimalDigits(UInt64(index)),
          ordinal: wanted[..<index].count { $0.type == device.type },
          registers: MemoryMap.virtioDevice(index),
          interrupt: MemoryMap.SharedInterrupt.virtio + UInt32(index),
          window: endpoint == nil ? windowNames.firstIndex(of: device.window) : nil,
          endpoint: endpoint
        )
      )
    }
    devices = places
    self.iommu = iommu
    self.platform = platform
    self.isGunyah = isGunyah
    interruptCount = MemoryMap.interruptCount(
      virtioDeviceCount: places.count,
      platformInterruptCount: platform?.places.reduce(0) { $0 + $1.interrupts.count } ?? 0,
      hasHypervisor: isGunyah
    )
  }

  /// The memory that a device reaches.
  package func reach(of place: DevicePlace) -> (name: String, range: GuestRange) {
    guard place.endpoint == nil else { return (Self.translated, map.ram) }
    guard let window = place.window else { return (Self.openWindow, map.ram) }
    return (windows[window].name, windows[window].range)
  }

  /// What stands for the name of a window where a device reaches all of RAM.
  package static let openWindow = "open"

  /// The same where it reaches what is mapped for it.
  package static let translated = "iommu"

  /// Every range at which something is, by the name that the documentation uses, in order of address.
  package var regions: [(name: String, range: GuestRange)] {
    let registers = (platform?.places ?? []).flatMap(\.registers)
    guard !registers.isEmpty else { return map.regions }
    return (map.regions + registers.map { ("SCMI consumer", $0) }).sorted { $0.range.start < $1.range.start }
  }
}
