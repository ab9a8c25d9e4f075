import GuestMemory
import Host

/// What a configuration comes to: where everything stands, resolved once.
///
/// Pure arithmetic, one direction. KVM, the bus, the device tree, the plan and the report read it, and derive nothing
/// themselves.
struct Board: Sendable {
  /// The interrupt controller's version.
  let gic: GICVersion
  /// How many vCPUs.
  let cpuCount: Int
  let map: MemoryMap
  /// How many interrupts the controller has.
  let interruptCount: UInt32
  /// The command line that the kernel gets.
  let commandLine: String
  /// The DMA windows, none where DMA is open.
  let windows: [Window]
  /// The virtio devices in the order of the configuration.
  let devices: [DevicePlace]
  /// What the guest finds of an SCMI platform.
  let platform: MachineTree.SCMI?

  /// KVM's memory slots.
  enum MemorySlot {
    static let ram: UInt32 = 0
    static let earlyVectors: UInt32 = 1
    static let firstWindow: UInt32 = 2
  }

  /// Memory that devices reach.
  struct Window: Equatable, Sendable {
    let name: String
    let range: GuestRange
    let memorySlot: UInt32
  }

  /// Where a virtio device stands.
  struct DevicePlace: Equatable, Sendable {
    /// From 0, in the order of the configuration.
    let index: Int
    /// Type and index, by which events and the report know it.
    let name: String
    /// How many devices of its type come before it.
    let ordinal: Int
    let registers: GuestRange
    /// Its shared peripheral interrupt, counted from 0.
    let interrupt: UInt32
    /// Which of the windows it is confined to, or nil where it reaches all of RAM.
    let window: Int?
  }

  /// - Parameters:
  ///   - configuration: without mistakes.
  ///   - platform: which it names, opened.
  ///   - gic: what the host gives, or is expected to give.
  init(_ configuration: Configuration, platform: SCMIPlace?, gic: GICVersion) {
    self.init(configuration, platform: platform.map { MachineTree.SCMI($0) }, gic: gic)
  }

  private init(_ configuration: Configuration, platform: MachineTree.SCMI?, gic: GICVersion) {
    self.gic = gic
    cpuCount = configuration.cpuCount
    let names = configuration.windowNames
    map = MemoryMap(
      cpuCount: configuration.cpuCount,
      memorySize: configuration.memorySize,
      gic: gic,
      windowSizes: configuration.windowSizes
    )
    commandLine = configuration.kernelCommandLine
    windows = zip(names, map.windows).enumerated().map { index, window in
      Window(name: window.0, range: window.1, memorySlot: MemorySlot.firstWindow + UInt32(index))
    }
    var places: [DevicePlace] = []
    for (index, device) in configuration.devices.enumerated() {
      let type = device.typeName
      places.append(
        DevicePlace(
          index: index,
          name: type + decimalDigits(UInt64(index)),
          ordinal: configuration.devices[..<index].count { $0.typeName == type },
          registers: MemoryMap.virtioDevice(index),
          interrupt: MemoryMap.SharedInterrupt.virtio + UInt32(index),
          window: names.firstIndex(of: device.window)
        )
      )
    }
    devices = places
    self.platform = platform
    interruptCount = MemoryMap.interruptCount(
      virtioDeviceCount: places.count,
      platformInterruptCount: platform?.places.reduce(0) { $0 + $1.interrupts.count } ?? 0
    )
  }

  /// The same machine with another interrupt controller, which is all that only the host decides.
  func with(_ gic: GICVersion, of configuration: Configuration) -> Board {
    gic == self.gic ? self : Board(configuration, platform: platform, gic: gic)
  }

  /// The memory that a device reaches.
  func reach(of place: DevicePlace) -> (name: String, range: GuestRange) {
    guard let window = place.window else { return ("open", map.ram) }
    return (windows[window].name, windows[window].range)
  }
}
