public import GuestMemory
import VirtioMMIO

/// Where everything stands in the guest's physical address space.
///
/// Pure arithmetic, from the number of vCPUs, the size of RAM and the GIC's version. Compatible with QEMU's `virt`
/// board wherever both have a thing. `Documentation/MemoryMap.md` is tested against it.
public struct MemoryMap: Equatable, Sendable {
  /// The whole of RAM.
  public let ram: GuestRange
  /// The windows of device memory, in the order of the configuration.
  public let windows: [GuestRange]
  /// Where memory can be plugged, in the order of the configuration. Nothing is there at first.
  public let hotplug: [GuestRange]
  /// The interrupt controller's registers.
  public let interruptController: InterruptControllerMap

  /// The serial port, a PL011.
  public static let pl011 = GuestRange(at: 0x0900_0000, size: 0x1000)
  /// The real-time clock, a PL031.
  public static let pl031 = GuestRange(at: 0x0901_0000, size: 0x1000)
  /// The panic notifier. QEMU's board has none that is memory-mapped; the address is free there.
  public static let pvpanic = GuestRange(at: 0x090F_0000, size: 0x2)
  /// The exception vectors of a guest that has set none yet (see `EarlyVectors`). Nothing of QEMU's board is here.
  public static let earlyVectors = GuestRange(at: 0x0FFF_0000, size: 0x1_0000)
  /// The bytes that say which of its copies a machine is, behind the early vectors: memory that is no RAM, and that the
  /// guest cannot write.
  public static let generationID = GuestRange(at: earlyVectors.start.rawValue + 0x800, size: 0x10)
  /// The registers of virtio-mmio devices, ``virtioDeviceSize`` bytes each.
  public static let virtio = GuestRange(at: 0x0A00_0000, size: virtioDeviceSize * virtioDeviceLimit)
  /// The bytes of one virtio-mmio device's registers.
  public static let virtioDeviceSize = MMIOTransport.registerSpace
  /// How many virtio-mmio devices there can be.
  public static let virtioDeviceLimit: UInt64 = 32
  /// Devices of an SCMI platform's tree, where QEMU's board has its platform bus: buses without anything at their
  /// addresses, and in the upper half scratch memory.
  public static let platformBus = GuestRange(at: 0x0C00_0000, size: 0x0200_0000)
  /// The first address of RAM.
  public static let ramStart = GuestAddress(0x4000_0000)
  /// RAM comes in multiples of this many bytes: the largest page of a guest with 4 KiB granules below a block.
  public static let ramGranule: UInt64 = 1 << 20

  /// DMA windows start at and come in multiples of this many bytes.
  public static let windowGranule: UInt64 = 2 << 20

  /// Regions of hot-plug memory start at multiples of this many bytes: what Linux with 64 KiB pages adds at once.
  public static let hotplugAlignment: UInt64 = 512 << 20
  /// Regions of hot-plug memory come in multiples of this many bytes: what Linux with 4 KiB pages adds at once.
  public static let hotplugGranule: UInt64 = 128 << 20
  /// The least bytes that a block of hot-plug memory has: a huge page.
  public static let smallestHotplugBlock: UInt64 = 2 << 20
  /// What a region of hot-plug memory is called in ``regions``.
  public static let hotplugName = "hot-plug memory"

  /// Shared peripheral interrupts, counted from 0 (SPI n is interrupt 32 + n).
  public enum SharedInterrupt {
    /// The serial port's one output, UARTINTR.
    public static let pl011: UInt32 = 1
    /// The clock's alarm, RTCINTR.
    public static let pl031: UInt32 = 2
    /// The generation identifier has changed. QEMU's board has nothing there.
    public static let generationID: UInt32 = 10
    /// Of the first virtio-mmio device; the others follow.
    public static let virtio: UInt32 = 16
    /// Of the first device of an SCMI platform's tree; the others follow, 64 at most.
    public static let platformBus: UInt32 = 112
    /// Of a hypervisor that the guest finds: the two of its resource manager's queues, then those of queues, doorbells
    /// and vCPUs, ``hypervisorCount`` in all.
    public static let hypervisor: UInt32 = 176
    /// How many the hypervisor has.
    public static let hypervisorCount: UInt32 = 112
  }

  /// Private peripheral interrupts, counted from 0 (PPI n is interrupt 16 + n).
  public enum PrivateInterrupt {
    /// The performance monitors' overflow.
    public static let performanceMonitors: UInt32 = 7
    /// Of the hypervisor's timer.
    public static let hypervisorTimer: UInt32 = 10
    /// The EL1 virtual timer, which the guest's kernel uses.
    public static let virtualTimer: UInt32 = 11
    /// The EL1 physical timer of the secure state, for the device tree alone: the guest has no such state.
    public static let securePhysicalTimer: UInt32 = 13
    /// Of the non-secure physical timer.
    public static let physicalTimer: UInt32 = 14
  }

  /// How many interrupts the controller has, private ones included: a multiple of 32, as KVM wants it.
  ///
  /// Not more than the machine has a use for: a guest's driver sets each of them up, and each time the host answers.
  ///
  /// - Parameters:
  ///   - virtioDeviceCount: how many virtio devices.
  ///   - platformInterruptCount: the lines of the devices of an SCMI platform's tree.
  ///   - hasHypervisor: whether the guest finds a hypervisor with interrupts of its own.
  public static func interruptCount(
    virtioDeviceCount: Int,
    platformInterruptCount: Int = 0,
    hasHypervisor: Bool = false
  ) -> UInt32 {
    let devices = SharedInterrupt.virtio + UInt32(virtioDeviceCount)
    let platform = platformInterruptCount == 0 ? 0 : SharedInterrupt.platformBus + UInt32(platformInterruptCount)
    let hypervisor = hasHypervisor ? SharedInterrupt.hypervisor + SharedInterrupt.hypervisorCount : 0
    return 32 + (max(devices, platform, hypervisor) + 31) / 32 * 32
  }

  /// The registers of an interrupt controller.
  public enum InterruptControllerMap: Equatable, Sendable {
    /// A GICv2 with its CPU interface.
    case v2(distributor: GuestRange, cpuInterface: GuestRange)
    /// A GICv3 with one or two runs of redistributors, 128 KiB a vCPU.
    case v3(distributor: GuestRange, redistributors: [GuestRange])

    /// All ranges, for checks of overlap and for documentation.
    public var ranges: [GuestRange] {
      switch self {
      case .v2(let distributor, let cpuInterface): [distributor, cpuInterface]
      case .v3(let distributor, let redistributors): [distributor] + redistributors
      }
    }
  }

  /// The bytes of one vCPU's GICv3 redistributor.
  public static let redistributorSize: UInt64 = 0x2_0000
  /// How many redistributors find room below the PL011, as on QEMU's board.
  public static let lowRedistributorCount = 123
  /// How many vCPUs a GICv2 can serve.
  public static let v2CPULimit = 8

  /// Lays out a machine.
  ///
  /// - Parameters:
  ///   - cpuCount: 1 or more; with a GICv2 at most ``v2CPULimit``.
  ///   - memorySize: bytes of RAM, a multiple of ``ramGranule``.
  ///   - gic: the interrupt controller's version.
  ///   - windowSizes: bytes of each DMA window, multiples of ``windowGranule``. The windows follow RAM.
  ///   - hotplugSizes: bytes of each region of hot-plug memory, multiples of ``hotplugGranule``. The regions follow the
  ///     windows, so that everything else is where it is without them.
  public init(
    cpuCount: Int,
    memorySize: UInt64,
    gic: GICVersion,
    windowSizes: [UInt64] = [],
    hotplugSizes: [UInt64] = []
  ) {
    precondition(cpuCount >= 1, "a machine has a vCPU")
    let ram = GuestRange(at: Self.ramStart.rawValue, size: memorySize)
    self.ram = ram
    var end = ram.start.rawValue + ram.size
    windows = windowSizes.map { size in
      let start = (end + Self.windowGranule - 1) & ~(Self.windowGranule - 1)
      end = start + size
      return GuestRange(at: start, size: size)
    }
    hotplug = hotplugSizes.map { size in
      let start = (end + Self.hotplugAlignment - 1) & ~(Self.hotplugAlignment - 1)
      end = start + size
      return GuestRange(at: start, size: size)
    }
    let distributor = GuestRange(at: 0x0800_0000, size: 0x1_0000)
    switch gic {
    case .v2:
      precondition(cpuCount <= Self.v2CPULimit, "a GICv2 serves eight vCPUs")
      interruptController = .v2(
        distributor: distributor,
        cpuInterface: GuestRange(at: 0x0801_0000, size: 0x1_0000)
      )
    case .v3:
      let low = min(cpuCount, Self.lowRedistributorCount)
      var regions = [GuestRange(at: 0x080A_0000, size: UInt64(low) * Self.redistributorSize)]
      if cpuCount > low {
        // Behind RAM, at the next 256 GiB, as on QEMU's board, so that RAM can grow without moving it.
        let base = (end + (1 << 38) - 1) & ~((1 << 38) - 1)
        regions.append(GuestRange(at: base, size: UInt64(cpuCount - low) * Self.redistributorSize))
      }
      interruptController = .v3(distributor: distributor, redistributors: regions)
    }
  }

  /// The registers of a virtio-mmio device, counted from 0.
  public static func virtioDevice(_ index: Int) -> GuestRange {
    precondition(0..<Int(virtioDeviceLimit) ~= index, "there are 32 devices")
    return GuestRange(at: virtio.start.rawValue + UInt64(index) * virtioDeviceSize, size: virtioDeviceSize)
  }

  /// The registers from device `first` on where there is none, or nil where all are there.
  package static func unusedVirtio(from first: Int) -> GuestRange? {
    guard first < virtioDeviceLimit else { return nil }
    let start = virtioDevice(first).start.rawValue
    return GuestRange(at: start, size: virtio.start.rawValue + virtio.size - start)
  }

  /// The last address that the machine uses.
  public var lastAddress: UInt64 {
    (interruptController.ranges + [ram] + windows + hotplug).map { $0.start.rawValue + ($0.size - 1) }.max() ?? 0
  }

  /// How many bits an address of the guest needs, at least the 32 that KVM asks for.
  public var addressBits: Int {
    max(32, UInt64.bitWidth - lastAddress.leadingZeroBitCount)
  }

  /// Every range by the name that the documentation uses, in order of address.
  public var regions: [(name: String, range: GuestRange)] {
    var regions: [(name: String, range: GuestRange)] = []
    switch interruptController {
    case .v2(let distributor, let cpuInterface):
      regions += [("GICv2 distributor", distributor), ("GICv2 CPU interface", cpuInterface)]
    case .v3(let distributor, let redistributors):
      regions.append(("GICv3 distributor", distributor))
      regions += redistributors.map { ("GICv3 redistributors", $0) }
    }
    regions += [
      ("PL011", Self.pl011), ("PL031", Self.pl031), ("pvpanic", Self.pvpanic), ("virtio-mmio", Self.virtio),
      ("early vectors", Self.earlyVectors), ("RAM", ram),
    ]
    regions += windows.map { ("DMA window", $0) }
    regions += hotplug.map { (Self.hotplugName, $0) }
    return regions.sorted { $0.range.start < $1.range.start }
  }
}

/// The version of the interrupt controller.
public enum GICVersion: Int, Sendable, Encodable {
  /// GICv2: at most eight vCPUs.
  case v2 = 2
  /// GICv3.
  case v3 = 3
}
