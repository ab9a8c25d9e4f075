import GuestABI
import GuestMemory
import Testing

@testable import Apus

/// Whole machines, small and large.
private let sizes: [UInt64] = [
  1 << 20, 128 << 20, 3 << 30, 255 << 30, 256 << 30, 1 << 40, (1 << 40) + (1 << 20), 8 << 40,
]

@Suite struct MemoryMapTests {
  @Test func whatTheVirtBoardHasTooIsWhereTheVirtBoardHasIt() {
    let v2 = MemoryMap(cpuCount: 8, memorySize: 128 << 20, gic: .v2)
    let v3 = MemoryMap(cpuCount: 8, memorySize: 128 << 20, gic: .v3)

    #expect(MemoryMap.pl011 == GuestRange(at: 0x0900_0000, size: 0x1000))
    #expect(MemoryMap.pl031 == GuestRange(at: 0x0901_0000, size: 0x1000))
    #expect(MemoryMap.virtio == GuestRange(at: 0x0A00_0000, size: 32 * 0x200))
    #expect(v3.ram == GuestRange(at: 0x4000_0000, size: 128 << 20))
    #expect(
      v2.interruptController
        == .v2(
          distributor: GuestRange(at: 0x0800_0000, size: 0x1_0000),
          cpuInterface: GuestRange(at: 0x0801_0000, size: 0x1_0000)
        )
    )
    #expect(
      v3.interruptController
        == .v3(
          distributor: GuestRange(at: 0x0800_0000, size: 0x1_0000),
          redistributors: [GuestRange(at: 0x080A_0000, size: 8 * 0x2_0000)]
        )
    )
  }

  @Test func interruptsHaveTheNumbersOfTheVirtBoard() {
    #expect(MemoryMap.SharedInterrupt.pl011 == 1)
    #expect(MemoryMap.SharedInterrupt.pl031 == 2)
    #expect(MemoryMap.SharedInterrupt.virtio == 16)
    #expect(MemoryMap.PrivateInterrupt.performanceMonitors == 7)
    #expect(MemoryMap.PrivateInterrupt.hypervisorTimer == 10)
    #expect(MemoryMap.PrivateInterrupt.virtualTimer == 11)
    #expect(MemoryMap.PrivateInterrupt.securePhysicalTimer == 13)
    #expect(MemoryMap.PrivateInterrupt.physicalTimer == 14)
  }

  @Test(arguments: 0...Int(MemoryMap.virtioDeviceLimit))
  func theControllerHasAnInterruptForEachDevice(deviceCount: Int) {
    let count = MemoryMap.interruptCount(virtioDeviceCount: deviceCount)

    #expect(count % 32 == 0 && count >= 64)
    #expect(count >= 32 + MemoryMap.SharedInterrupt.virtio + UInt32(deviceCount))
    #expect(count == (deviceCount <= 16 ? 64 : 96))
  }

  @Test(arguments: [1, 16, 17, 64])
  func theControllerHasAnInterruptForEachLineOfAPlatformsDevices(lineCount: Int) {
    let count = MemoryMap.interruptCount(virtioDeviceCount: 1, platformInterruptCount: lineCount)

    #expect(count >= 32 + MemoryMap.SharedInterrupt.platformBus + UInt32(lineCount) && count <= 288)
  }

  @Test(arguments: sizes)
  func nothingOverlapsWithAnyNumberOfVCPUs(memorySize: UInt64) {
    for cpuCount in 1...512 {
      let regions = MemoryMap(cpuCount: cpuCount, memorySize: memorySize, gic: .v3).regions

      for (lower, upper) in zip(regions, regions.dropFirst()) {
        #expect(!lower.range.overlaps(upper.range), "\(lower) and \(upper) with \(cpuCount) vCPUs")
      }
    }
  }

  @Test(arguments: sizes)
  func windowsFollowRAMAtMultiplesOfTheirGranule(memorySize: UInt64) {
    let map = MemoryMap(
      cpuCount: 512,
      memorySize: memorySize,
      gic: .v3,
      windowSizes: [2 << 20, 64 << 20, 4 << 30]
    )

    for (lower, upper) in zip(map.regions, map.regions.dropFirst()) {
      #expect(!lower.range.overlaps(upper.range), "\(lower) and \(upper)")
    }
    #expect(map.windows.map(\.size) == [2 << 20, 64 << 20, 4 << 30])
    #expect(map.windows.allSatisfy { $0.start > map.ram.start && $0.start.rawValue % MemoryMap.windowGranule == 0 })
  }

  @Test(arguments: sizes, 1...8)
  func nothingOverlapsWithAGICv2(memorySize: UInt64, cpuCount: Int) {
    let regions = MemoryMap(cpuCount: cpuCount, memorySize: memorySize, gic: .v2).regions

    for (lower, upper) in zip(regions, regions.dropFirst()) {
      #expect(!lower.range.overlaps(upper.range), "\(lower) and \(upper)")
    }
  }

  @Test(arguments: [1, 2, 123, 124, 256, 512])
  func everyVCPUHasARedistributor(cpuCount: Int) throws {
    let map = MemoryMap(cpuCount: cpuCount, memorySize: 1 << 30, gic: .v3)

    guard case .v3(_, let redistributors) = map.interruptController else {
      Issue.record("a GICv3 was asked for")
      return
    }
    #expect(redistributors.count == (cpuCount > MemoryMap.lowRedistributorCount ? 2 : 1))
    #expect(redistributors.reduce(0) { $0 + $1.size } == UInt64(cpuCount) * MemoryMap.redistributorSize)
    #expect(redistributors.allSatisfy { $0.start.rawValue % 0x1_0000 == 0 })
  }

  @Test func theSecondRunOfRedistributorsIsBehindRAMAtAMultipleOf256GiB() {
    let small = MemoryMap(cpuCount: 124, memorySize: 1 << 30, gic: .v3).interruptController.ranges[2]
    let full = MemoryMap(cpuCount: 124, memorySize: 255 << 30, gic: .v3).interruptController.ranges[2]
    let large = MemoryMap(cpuCount: 124, memorySize: 256 << 30, gic: .v3).interruptController.ranges[2]

    #expect(small == GuestRange(at: 256 << 30, size: 0x2_0000))
    #expect(full == GuestRange(at: 256 << 30, size: 0x2_0000))
    #expect(large == GuestRange(at: 512 << 30, size: 0x2_0000))
  }

  @Test(arguments: [(1 << 20, 32), (3 << 30, 32), ((3 << 30) + (1 << 20), 33), (1 << 40, 41)] as [(UInt64, Int)])
  func addressBitsReachTheEndOfRAM(memorySize: UInt64, bits: Int) {
    let map = MemoryMap(cpuCount: 1, memorySize: memorySize, gic: .v3)

    #expect(map.lastAddress == 0x4000_0000 + memorySize - 1)
    #expect(map.addressBits == bits)
  }

  @Test func addressBitsReachTheSecondRunOfRedistributors() {
    let map = MemoryMap(cpuCount: 124, memorySize: 128 << 20, gic: .v3)

    #expect(map.lastAddress == (256 << 30) + 0x2_0000 - 1)
    #expect(map.addressBits == 39)
  }

  @Test func hotplugMemoryIsBehindAllElseAtMultiplesOf512MiBAndMovesNothing() {
    let sizes: [UInt64] = [2 << 20, 6 << 20]
    let plain = MemoryMap(cpuCount: 1, memorySize: 257 << 20, gic: .v3, windowSizes: sizes)
    let map = MemoryMap(
      cpuCount: 1,
      memorySize: 257 << 20,
      gic: .v3,
      windowSizes: sizes,
      hotplugSizes: [128 << 20, 4 << 30]
    )

    #expect(map.hotplug == [GuestRange(at: 0x6000_0000, size: 128 << 20), GuestRange(at: 0x8000_0000, size: 4 << 30)])
    #expect(map.windows == plain.windows && map.ram == plain.ram)
    #expect(map.regions.map(\.range).filter { !map.hotplug.contains($0) } == plain.regions.map(\.range))
    #expect(map.regions.suffix(2).map(\.name) == ["hot-plug memory", "hot-plug memory"])
    #expect(map.lastAddress == 0x1_7FFF_FFFF)
    #expect(map.addressBits == 33)
  }

  @Test func redistributorsAreBehindHotplugMemory() {
    let map = MemoryMap(cpuCount: 124, memorySize: 1 << 30, gic: .v3, hotplugSizes: [255 << 30])

    #expect(map.interruptController.ranges[2] == GuestRange(at: 512 << 30, size: 0x2_0000))
  }

  @Test func virtioDevicesFollowEachOtherAndFillTheirRegion() {
    let slots = (0..<Int(MemoryMap.virtioDeviceLimit)).map(MemoryMap.virtioDevice)

    #expect(slots.first?.start == MemoryMap.virtio.start)
    #expect(slots.last?.end == MemoryMap.virtio.end)
    #expect(zip(slots, slots.dropFirst()).allSatisfy { $0.end == $1.start })
  }

  @Test func regionsAreInOrderOfAddress() {
    let starts = MemoryMap(cpuCount: 512, memorySize: 1 << 30, gic: .v3).regions.map(\.range.start)

    #expect(starts == starts.sorted())
    #expect(starts.count == 9)
  }

  @Test(arguments: [0, 1, 31])
  func slotsWithoutADeviceAreThoseBehindTheOnesWithOne(devices: Int) throws {
    let empty = try #require(MemoryMap.unusedVirtio(from: devices))

    #expect(empty.start == MemoryMap.virtioDevice(devices).start)
    #expect(empty.end == MemoryMap.virtio.end)
    #expect(MemoryMap.unusedVirtio(from: 32) == nil)
  }

  @Test(arguments: [0, 5, 30])
  func emptySlotSaysThatItIsVirtioWithoutADeviceAndTakesWritesInSilence(slot: UInt64) {
    let slots = PlaceholderDevices()
    let start = slot * MemoryMap.virtioDeviceSize

    for offset in stride(from: UInt64(0), to: MemoryMap.virtioDeviceSize, by: 4) {
      slots.write(.max, at: start + offset, width: 4)
    }
    let words = stride(from: UInt64(0), to: MemoryMap.virtioDeviceSize, by: 4).map {
      slots.read(at: start + $0, width: 4)
    }

    // Magic, version, DeviceID and VendorID.
    #expect(words.prefix(4) == [0x7472_6976, 2, 0, 0x7375_7041])
    #expect(words.dropFirst(4).allSatisfy { $0 == 0 })
    #expect([1, 2, 8].map { slots.read(at: start, width: $0) } == [0, 0, 0])
  }
}
