import DeviceTree
import GuestMemory
import Host
import Peripherals
import TestSupport
import Testing

@testable import GuestABI

private func board(
  _ gic: GICVersion,
  cpuCount: Int,
  memorySize: UInt64,
  commandLine: String,
  windows: [String] = [],
  devices: [Board.WantedDevice] = []
) -> Board {
  Board(
    gic: gic,
    cpuCount: cpuCount,
    memorySize: memorySize,
    commandLine: commandLine,
    windowNames: windows,
    windowSizes: windows.map { _ in 4 << 20 },
    hotplugRegions: [],
    devices: devices,
    platform: nil
  )
}

/// The text of the tree of a machine, without indentation.
private func lines(
  cpuCount: Int = 1,
  memorySize: UInt64 = 512 << 20,
  gic: GICVersion = .v3,
  change: (inout MachineTree) -> Void = { _ in }
) throws -> [Substring] {
  var tree = MachineTree(
    board: board(gic, cpuCount: cpuCount, memorySize: memorySize, commandLine: "console=ttyAMA0 quiet"),
    hasPerformanceMonitors: true,
    name: "test",
    uuid: "123e4567-e89b-42d3-a456-426614174000",
    initramfs: nil,
    virtioDevices: [],
    seed: (0..<UInt8(MachineTree.seedSize)).map { $0 }
  )
  change(&tree)
  return try DeviceTreeSource.text(of: try tree.blob()).split(separator: "\n").map { line in
    line.drop { $0 == "\t" }
  }
}

/// The lines of one node, from its name to the end of its properties.
private func node(_ name: String, in lines: [Substring]) throws -> [Substring] {
  let start = try #require(lines.firstIndex { $0 == "\(name) {" })
  return Array(lines[(start + 1)...].prefix { !$0.hasSuffix("{") && $0 != "};" })
}

@Suite struct MachineTreeTests {
  @Test func memoryIsWhereTheMapHasRAM() throws {
    let memory = try node("memory@40000000", in: lines(memorySize: 5 << 30))

    #expect(memory == ["device_type = \"memory\";", "reg = <0x0 0x40000000 0x1 0x40000000>;"])
  }

  @Test func aGICv3HasItsDistributorAndRedistributors() throws {
    let controller = try node("interrupt-controller@8000000", in: lines(cpuCount: 4))

    #expect(controller.contains("compatible = \"arm,gic-v3\";"))
    #expect(controller.contains("reg = <0x0 0x8000000 0x0 0x10000 0x0 0x80a0000 0x0 0x80000>;"))
    #expect(controller.contains("interrupt-controller;"))
    #expect(!controller.contains { $0.hasPrefix("#redistributor-regions") })
  }

  @Test func aGICv3WithMoreVCPUsThanFitBelowThePL011HasTwoRunsOfRedistributors() throws {
    let controller = try node("interrupt-controller@8000000", in: lines(cpuCount: 200))

    #expect(controller.contains("#redistributor-regions = <0x2>;"))
    #expect(
      controller.contains(
        "reg = <0x0 0x8000000 0x0 0x10000 0x0 0x80a0000 0x0 0xf60000 0x40 0x0 0x0 0x9a0000>;"
      )
    )
  }

  @Test func aGICv2HasItsDistributorAndCPUInterface() throws {
    let controller = try node("interrupt-controller@8000000", in: lines(gic: .v2))

    #expect(controller.contains("compatible = \"arm,cortex-a15-gic\";"))
    #expect(controller.contains("reg = <0x0 0x8000000 0x0 0x10000 0x0 0x8010000 0x0 0x10000>;"))
  }

  @Test(arguments: [(1, "0x104"), (2, "0x304"), (8, "0xff04")])
  func privateInterruptsOfAGICv2NameTheVCPUsThatTheyReach(cpuCount: Int, flags: String) throws {
    let timer = try node("timer", in: lines(cpuCount: cpuCount, gic: .v2))

    #expect(timer.contains("interrupts = <0x1 0xd \(flags) 0x1 0xe \(flags) 0x1 0xb \(flags) 0x1 0xa \(flags)>;"))
  }

  @Test func privateInterruptsOfAGICv3NameNoVCPUs() throws {
    let timer = try node("timer", in: lines(cpuCount: 8))

    #expect(timer.contains("interrupts = <0x1 0xd 0x4 0x1 0xe 0x4 0x1 0xb 0x4 0x1 0xa 0x4>;"))
    #expect(timer.contains("always-on;"))
  }

  @Test func devicesBehindAnIOMMUNameItAndHaveNoPool() throws {
    let devices: [Board.WantedDevice] = [
      .init(type: "block", window: "default"), .init(type: "iommu", window: "default", isIOMMU: true),
      .init(type: "entropy", window: "default"),
    ]
    let board = board(.v3, cpuCount: 1, memorySize: 512 << 20, commandLine: "", windows: ["default"], devices: devices)
    let all = try lines { tree in
      tree.board = board
      tree.virtioDevices = board.devices
    }

    let (block, iommu, entropy) = (
      try node("virtio@a000000", in: all), try node("virtio@a000200", in: all), try node("virtio@a000400", in: all)
    )
    #expect(block.contains("iommus = <&{/virtio@a000200} 0x0>;"))
    #expect(entropy.contains("iommus = <&{/virtio@a000200} 0x2>;"))
    #expect(iommu.contains("#iommu-cells = <0x1>;"))
    #expect(iommu.contains("phandle = <0x3>;"))
    #expect(iommu.contains { $0.hasPrefix("memory-region = <&{/reserved-memory/dma-default@") })
    for node in [block, entropy] { #expect(!node.contains { $0.hasPrefix("memory-region") }) }
    #expect(!iommu.contains { $0.hasPrefix("iommus") })
    #expect(board.devices.map { board.reach(of: $0).name } == ["iommu", "default", "iommu"])
  }

  @Test func aSingleVCPUNeedsNoMethodToStartOthers() throws {
    let cpu = try node("cpu@0", in: lines())

    #expect(cpu == ["device_type = \"cpu\";", "compatible = \"arm,armv8\";", "reg = <0x0>;"])
  }

  @Test(arguments: [2, 8, 17, 512])
  func everyVCPUHasANodeWithTheAffinityThatKVMGivesIt(cpuCount: Int) throws {
    let all = try lines(cpuCount: cpuCount)

    #expect(all.filter { $0.hasPrefix("cpu@") }.count == cpuCount)
    #expect(all.filter { $0 == "enable-method = \"psci\";" }.count == cpuCount)
    if cpuCount > 16 { #expect(try node("cpu@100", in: all).contains("reg = <0x100>;")) }
    if cpuCount == 512 { #expect(try node("cpu@1f0f", in: all).contains("reg = <0x1f0f>;")) }
  }

  @Test(arguments: [(0, 0), (15, 0xF), (16, 0x100), (255, 0xF0F), (511, 0x1F0F), (4096, 0x1_0000)] as [(Int, UInt32)])
  func affinitiesAreThoseOfKVM(cpu: Int, affinity: UInt32) {
    #expect(MachineTree.affinity(of: cpu) == affinity)
  }

  @Test func peripheralsAreWhereTheMapHasThem() throws {
    let all = try lines()

    #expect(try node("serial@9000000", in: all).contains("reg = <0x0 0x9000000 0x0 0x1000>;"))
    #expect(try node("serial@9000000", in: all).contains("interrupts = <0x0 0x1 0x4>;"))
    #expect(try node("rtc@9010000", in: all).contains("interrupts = <0x0 0x2 0x4>;"))
    #expect(try node("pvpanic@90f0000", in: all).contains("compatible = \"qemu,pvpanic-mmio\";"))
    #expect(
      try node("rng@fff0800", in: all) == [
        "compatible = \"microsoft,vmgenid\";", "reg = <0x0 0xfff0800 0x0 0x10>;", "interrupts = <0x0 0xa 0x1>;",
      ]
    )
    #expect(try node("psci", in: all).contains("method = \"hvc\";"))
  }

  /// A kernel that finds it in the tree does not read the registers.
  @Test func theSerialPortIsIdentifiedAsInItsRegisters() throws {
    let all = try lines()
    let offsets: [UInt64] = [0xFE0, 0xFE4, 0xFE8, 0xFEC]
    var uart = PL011()

    let identification = offsets.reversed().reduce(UInt64(0)) { $0 << 8 | uart.read(at: $1, width: 4) }

    let cell = "arm,primecell-periphid = <0x\(String(identification, radix: 16))>;"
    #expect(try node("serial@9000000", in: all).contains { $0 == cell })
  }

  @Test func hypervisorSaysWhichMachineThisIs() throws {
    let all = try lines()

    #expect(try node("hypervisor", in: all) == ["compatible = \"linux,kvm\";"])
    #expect(
      try node("apus", in: all) == [
        "compatible = \"apus,machine\";", "api-version = <0x1>;", "vm-name = \"test\";",
        "vm-uuid = \"123e4567-e89b-42d3-a456-426614174000\";",
      ]
    )
  }

  @Test func chosenHasTheCommandLineTheConsoleAndSeeds() throws {
    let chosen = try node("chosen", in: lines())

    #expect(chosen.contains("bootargs = \"console=ttyAMA0 quiet\";"))
    #expect(chosen.contains("stdout-path = \"/serial@9000000\";"))
    #expect(chosen.contains("kaslr-seed = <0x10203 0x4050607>;"))
    #expect(chosen.contains { $0.hasPrefix("rng-seed = <0x8090a0b ") })
    #expect(!chosen.contains { $0.hasPrefix("linux,initrd") })
  }

  @Test func chosenHasTheInitramfsWhereThereIsOne() throws {
    let chosen = try node(
      "chosen",
      in: lines { $0.initramfs = GuestRange(at: 0x1_4800_0000, size: 0x1234) }
    )

    #expect(chosen.contains("linux,initrd-start = <0x1 0x48000000>;"))
    #expect(chosen.contains("linux,initrd-end = <0x1 0x48001234>;"))
  }

  @Test func performanceMonitorsAreThereOnlyWhereTheVCPUsHaveThem() throws {
    let with = try lines()
    let without = try lines { $0.hasPerformanceMonitors = false }

    #expect(try node("pmu", in: with).contains("interrupts = <0x1 0x7 0x4>;"))
    #expect(!without.contains("pmu {"))
  }

  @Test(arguments: ["\"quoted\" and \\ back", "tab\tand bell\u{7}", "é", "x=" + String(repeating: "y", count: 2000)])
  func anyCommandLineIsKeptByteForByte(commandLine: String) throws {
    let tree = MachineTree(
      board: board(.v3, cpuCount: 1, memorySize: 1 << 20, commandLine: commandLine),
      hasPerformanceMonitors: false,
      name: "n",
      uuid: "",
      initramfs: nil,
      virtioDevices: [],
      seed: []
    )

    let blob = try tree.blob()

    #expect(blob.contains(Array(commandLine.utf8) + [0]))
  }
}

@Suite struct BoardTests {
  @Test func eachDeviceHasItsNameItsRegistersAndInterruptAndItsWindowWithAMemorySlot() {
    let board = board(
      .v3,
      cpuCount: 2,
      memorySize: 64 << 20,
      commandLine: "",
      windows: ["a", "b"],
      devices: [
        .init(type: "block", window: "b"), .init(type: "network", window: "a"), .init(type: "block", window: "a"),
      ]
    )

    #expect(board.devices.map(\.name) == ["block0", "network1", "block2"])
    #expect(board.devices.map(\.ordinal) == [0, 0, 1])
    #expect(board.devices.map(\.registers.start.rawValue) == [0x0A00_0000, 0x0A00_0200, 0x0A00_0400])
    #expect(board.devices.map(\.interrupt) == [16, 17, 18])
    #expect(board.devices.map(\.window) == [1, 0, 0])
    #expect(board.windows.map(\.memorySlot) == [2, 3])
    #expect(board.windows.map(\.range.start.rawValue) == [0x4400_0000, 0x4440_0000])
    #expect(board.reach(of: board.devices[0]).name == "b")
    #expect(board.interruptCount == 64)
  }

  @Test func withoutWindowsADeviceReachesAllOfRAM() {
    let board = board(
      .v2,
      cpuCount: 1,
      memorySize: 64 << 20,
      commandLine: "",
      devices: [.init(type: "entropy", window: "default")]
    )

    let reach = board.reach(of: board.devices[0])

    #expect(reach.name == "open" && reach.range == board.map.ram)
    #expect(board.devices[0].window == nil)
  }
}
