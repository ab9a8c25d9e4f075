package import DeviceTree
package import GuestMemory
import Host
import Peripherals

/// Everything that the guest's device tree tells, as plain values.
///
/// Documentation/DeviceTree.md lists the nodes; those that have an upstream binding conform to it.
package struct MachineTree: Sendable {
  /// Where everything stands.
  package var board: Board
  /// Whether the vCPUs have performance monitors.
  package var hasPerformanceMonitors: Bool
  /// The machine's name.
  package var name: String
  /// The machine's identity.
  package var uuid: String
  /// Where the initramfs was put.
  package var initramfs: GuestRange?
  /// The virtio devices that are there.
  package var virtioDevices: [Board.DevicePlace]
  /// What it finds of the hypervisor Gunyah; nil where that is KVM.
  package var gunyah: Gunyah?
  /// Randomness for the kernel: 8 bytes for its address layout, the rest for its random number generator.
  package var seed: [UInt8]

  package init(
    board: Board,
    hasPerformanceMonitors: Bool,
    name: String,
    uuid: String,
    initramfs: GuestRange?,
    virtioDevices: [Board.DevicePlace],
    gunyah: Gunyah? = nil,
    seed: [UInt8]
  ) {
    self.board = board
    self.hasPerformanceMonitors = hasPerformanceMonitors
    self.name = name
    self.uuid = uuid
    self.initramfs = initramfs
    self.virtioDevices = virtioDevices
    self.gunyah = gunyah
    self.seed = seed
  }

  private var map: MemoryMap { board.map }
  private var scmi: SCMI? { board.platform }

  /// The version of the interface that the `/hypervisor/apus` node describes.
  package static let apiVersion: UInt32 = 1

  /// How many bytes of randomness a tree carries.
  package static let seedSize = 8 + 64

  /// The affinity that KVM gives a vCPU: 16 to a cluster, then 256 clusters.
  package static func affinity(of cpu: Int) -> UInt32 {
    let number = UInt32(cpu)
    return (number & 0xF) | (number >> 4 & 0xFF) << 8 | (number >> 12 & 0xFF) << 16
  }

  private enum Handle {
    static let interruptController: UInt32 = 1
    static let clock: UInt32 = 2
    static let iommu: UInt32 = 3
    static let firstWindow: UInt32 = 16
  }

  enum InterruptKind {
    static let shared: UInt32 = 0
    static let perCPU: UInt32 = 1
  }

  static let levelHigh: UInt32 = 4
  static let edgeRising: UInt32 = 1

  /// Writes the tree.
  ///
  /// - Parameter labels: whether it has its nodes' labels, for people or for overlays.
  /// - Returns: the blob that the kernel gets.
  /// - Throws: what libfdt refused first.
  package func blob(labels: DeviceTreeWriter.Labels = .dropped) throws(DeviceTreeError) -> [UInt8] {
    // A platform's nodes are many, and the room for the tree is reckoned with each name once.
    var tree = DeviceTreeWriter(labels: labels, sharesNames: scmi != nil)
    tree.node("") { root in
      root.property("compatible", "linux,dummy-virt")
      root.property("model", "linux,dummy-virt")
      root.property("#address-cells", cells: [2])
      root.property("#size-cells", cells: [2])
      root.property("interrupt-parent", cells: [Handle.interruptController])
      aliases(&root)
      chosen(&root)
      root.node("memory@\(unitAddress(map.ram.start))") { memory in
        memory.property("device_type", "memory")
        memory.property("reg", wide: ([map.ram] + map.windows).flatMap { [$0.start.rawValue, $0.size] })
      }
      windows(&root)
      cpus(&root)
      firmware(&root)
      scmi?.write(&root)
      interruptController(&root)
      timer(&root)
      peripherals(&root)
      virtio(&root)
      root.symbols()
    }
    return try tree.finish()
  }

  private func aliases(_ root: inout DeviceTreeWriter) {
    root.node("aliases") { $0.property("serial0", serialPath) }
  }

  private var serialPath: String { "/serial@\(unitAddress(MemoryMap.pl011.start))" }

  private func chosen(_ root: inout DeviceTreeWriter) {
    root.node("chosen", label: "chosen") { chosen in
      chosen.property("bootargs", board.commandLine)
      chosen.property("stdout-path", serialPath)
      if let initramfs {
        chosen.property("linux,initrd-start", wide: [initramfs.start.rawValue])
        chosen.property("linux,initrd-end", wide: [initramfs.start.rawValue + initramfs.size])
      }
      if seed.count == Self.seedSize {
        chosen.property("kaslr-seed", bytes: Array(seed[..<8]))
        chosen.property("rng-seed", bytes: Array(seed[8...]))
      }
    }
  }

  private func cpus(_ root: inout DeviceTreeWriter) {
    root.node("cpus", label: "cpus") { cpus in
      cpus.property("#address-cells", cells: [1])
      cpus.property("#size-cells", cells: [0])
      for index in 0..<board.cpuCount {
        let affinity = Self.affinity(of: index)
        cpus.node("cpu@\(hexadecimalDigits(UInt64(affinity)))", label: "cpu\(index)") { cpu in
          cpu.property("device_type", "cpu")
          cpu.property("compatible", "arm,armv8")
          cpu.property("reg", cells: [affinity])
          if board.cpuCount > 1 { cpu.property("enable-method", "psci") }
          scmi?.describe(cpu: index, &cpu)
        }
      }
    }
  }

  private func firmware(_ root: inout DeviceTreeWriter) {
    root.node("psci", label: "psci") { psci in
      psci.property("compatible", strings: ["arm,psci-1.0", "arm,psci-0.2"])
      psci.property("method", "hvc")
    }
    guard let gunyah else {
      root.node("hypervisor") { hypervisor in
        hypervisor.property("compatible", "linux,kvm")
        identity(&hypervisor)
      }
      return
    }
    gunyah.write(&root)
    // The binding of Gunyah's node has no room for it.
    identity(&root)
  }

  private func identity(_ parent: inout DeviceTreeWriter) {
    parent.node("apus") { apus in
      apus.property("compatible", "apus,machine")
      apus.property("api-version", cells: [Self.apiVersion])
      apus.property("vm-name", name)
      apus.property("vm-uuid", uuid)
    }
  }

  private func interruptController(_ root: inout DeviceTreeWriter) {
    let ranges = map.interruptController.ranges
    root.node(
      "interrupt-controller@\(unitAddress(ranges[0].start))",
      label: "gic",
      phandle: Handle.interruptController
    ) { controller in
      switch map.interruptController {
      case .v2:
        controller.property("compatible", "arm,cortex-a15-gic")
      case .v3(_, let redistributors):
        controller.property("compatible", "arm,gic-v3")
        if redistributors.count > 1 {
          controller.property("#redistributor-regions", cells: [UInt32(redistributors.count)])
        }
      }
      controller.property("#address-cells", cells: [0])
      controller.property("#interrupt-cells", cells: [3])
      controller.property("interrupt-controller")
      controller.property("reg", wide: ranges.flatMap { [$0.start.rawValue, $0.size] })
    }
  }

  /// The third cell of a private interrupt: the trigger and, for a GICv2, which vCPUs it reaches.
  private var privateFlags: UInt32 {
    switch map.interruptController {
    case .v2: Self.levelHigh | ((1 << UInt32(board.cpuCount)) - 1) << 8
    case .v3: Self.levelHigh
    }
  }

  private func timer(_ root: inout DeviceTreeWriter) {
    typealias Interrupt = MemoryMap.PrivateInterrupt
    let numbers = [
      Interrupt.securePhysicalTimer, Interrupt.physicalTimer, Interrupt.virtualTimer, Interrupt.hypervisorTimer,
    ]
    root.node("timer", label: "timer") { timer in
      timer.property("compatible", "arm,armv8-timer")
      timer.property("interrupts", cells: numbers.flatMap { [InterruptKind.perCPU, $0, privateFlags] })
      timer.property("always-on")
    }
    if hasPerformanceMonitors {
      root.node("pmu", label: "pmu") { pmu in
        pmu.property("compatible", "arm,armv8-pmuv3")
        pmu.property("interrupts", cells: [InterruptKind.perCPU, Interrupt.performanceMonitors, privateFlags])
      }
    }
  }

  private func peripherals(_ root: inout DeviceTreeWriter) {
    root.node("apb-pclk", label: "apb_pclk", phandle: Handle.clock) { clock in
      clock.property("compatible", "fixed-clock")
      clock.property("#clock-cells", cells: [0])
      clock.property("clock-frequency", cells: [24_000_000])
      clock.property("clock-output-names", "clk24mhz")
    }
    peripheral(
      "serial",
      "uart",
      "arm,pl011",
      PL011.peripheralIdentification,
      MemoryMap.pl011,
      MemoryMap.SharedInterrupt.pl011,
      ["uartclk"],
      &root
    )
    peripheral(
      "rtc",
      "rtc",
      "arm,pl031",
      nil,
      MemoryMap.pl031,
      MemoryMap.SharedInterrupt.pl031,
      [],
      &root
    )
    root.node("pvpanic@\(unitAddress(MemoryMap.pvpanic.start))", label: "pvpanic") { pvpanic in
      pvpanic.property("compatible", "qemu,pvpanic-mmio")
      pvpanic.property("reg", wide: [MemoryMap.pvpanic.start.rawValue, MemoryMap.pvpanic.size])
    }
    let generation = MemoryMap.generationID
    root.node("rng@\(unitAddress(generation.start))", label: "vmgenid") { node in
      node.property("compatible", "microsoft,vmgenid")
      node.property("reg", wide: [generation.start.rawValue, generation.size])
      node.property(
        "interrupts",
        cells: [InterruptKind.shared, MemoryMap.SharedInterrupt.generationID, Self.edgeRising]
      )
    }
  }

  /// The pools that confine devices: Linux takes rings and bounce buffers of the devices that name one from it.
  private func windows(_ root: inout DeviceTreeWriter) {
    guard !board.windows.isEmpty else { return }
    root.node("reserved-memory") { reserved in
      reserved.property("#address-cells", cells: [2])
      reserved.property("#size-cells", cells: [2])
      reserved.property("ranges")
      for (index, window) in board.windows.enumerated() {
        reserved.node(
          "dma-\(window.name)@\(unitAddress(window.range.start))",
          label: "dma_\(label(window.name))",
          phandle: Handle.firstWindow + UInt32(index)
        ) { pool in
          pool.property("compatible", "restricted-dma-pool")
          pool.property("reg", wide: [window.range.start.rawValue, window.range.size])
        }
      }
    }
  }

  private func virtio(_ root: inout DeviceTreeWriter) {
    for device in virtioDevices {
      let range = device.registers
      let isIOMMU = board.iommu == device.index
      root.node(
        "virtio@\(unitAddress(range.start))",
        label: "virtio\(device.index)",
        phandle: isIOMMU ? Handle.iommu : nil
      ) { node in
        node.property("compatible", "virtio,mmio")
        node.property("reg", wide: [range.start.rawValue, range.size])
        node.property("interrupts", cells: [InterruptKind.shared, device.interrupt, Self.edgeRising])
        node.property("dma-coherent")
        if let window = device.window {
          node.property("memory-region", cells: [Handle.firstWindow + UInt32(window)])
        }
        if isIOMMU { node.property("#iommu-cells", cells: [1]) }
        if let endpoint = device.endpoint { node.property("iommus", cells: [Handle.iommu, endpoint]) }
      }
    }
  }

  /// A PrimeCell: all its clocks are the one of the bus.
  private func peripheral(
    _ name: String,
    _ label: String,
    _ compatible: String,
    _ identification: UInt32?,
    _ range: GuestRange,
    _ interrupt: UInt32,
    _ clocks: [String],
    _ root: inout DeviceTreeWriter
  ) {
    root.node("\(name)@\(unitAddress(range.start))", label: label) { node in
      node.property("compatible", strings: [compatible, "arm,primecell"])
      // A kernel that is told need not read eight registers, each of which is an exit. The binding of the PL031 has no
      // place for it, and it is to read them that Linux takes a PrimeCell out of the reset that a platform may give it.
      if let identification { node.property("arm,primecell-periphid", cells: [identification]) }
      node.property("reg", wide: [range.start.rawValue, range.size])
      node.property("interrupts", cells: [InterruptKind.shared, interrupt, Self.levelHigh])
      let names = clocks + ["apb_pclk"]
      if name == "rtc", let scmi, let consumer = scmi.clockConsumer {
        scmi.use(by: consumer, &node)
      } else {
        node.property("clocks", cells: names.map { _ in Handle.clock })
      }
      node.property("clock-names", strings: names)
    }
  }

  /// A window's name as a label has it.
  private func label(_ name: String) -> String {
    String(name.map { $0 == "-" ? "_" : $0 })
  }

  /// An address as node names write it (Devicetree Specification 0.4, 2.2.1): no prefix.
  private func unitAddress(_ address: GuestAddress) -> String {
    hexadecimalDigits(address.rawValue)
  }
}
