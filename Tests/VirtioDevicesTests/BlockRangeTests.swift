import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioTesting

/// Requests that name ranges of a disk: discard and write zeroes.
@Suite struct BlockRangeTests {
  @Test(arguments: [11, 13] as [UInt32])
  func rangesAreUnsupportedForADriverThatDidNotAcceptThem(type: UInt32) throws {
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64)), features: 0)

    BlockDeviceTests.request(&fixture, type: type, data: [.init(fixture.scratch + 0x1000, 16, isWritable: false)])
    fixture.driver.notify(0)

    #expect(BlockDeviceTests.status(fixture) == 2)
  }

  private func ranges(_ fixture: DeviceFixture, _ ranges: [(UInt64, UInt32, UInt32)]) -> DeviceFixture.Queue.Buffer {
    let at = fixture.scratch + 0x1000
    for (index, range) in ranges.enumerated() {
      fixture.machine.store64(range.0, at: at + 16 * UInt64(index))
      fixture.machine.store32(range.1, at: at + 16 * UInt64(index) + 8)
      fixture.machine.store32(range.2, at: at + 16 * UInt64(index) + 12)
    }
    return .init(at, UInt32(16 * ranges.count), isWritable: false)
  }

  @Test func discardGoesRangeByRange() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))

    let data = ranges(fixture, [(0, 8, 0), (16, 1, 0)])
    BlockDeviceTests.request(&fixture, type: 11, data: [data])
    fixture.driver.notify(0)

    #expect(
      backend.calls.filter { $0 != .commit } == [.discard(offset: 0, count: 4096), .discard(offset: 8192, count: 512)]
    )
    #expect(BlockDeviceTests.status(fixture) == 0)
    #expect(fixture.queues[0].usedIndex == 1)
  }

  @Test func writeZeroesZeroesAndPassesTheUnmapFlagOn() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))

    let data = ranges(fixture, [(1, 1, 1)])
    BlockDeviceTests.request(&fixture, type: 13, data: [data])
    fixture.driver.notify(0)

    #expect(backend.calls.first == .writeZeroes(offset: 512, count: 512, mayDiscard: true, isDurable: false))
    #expect(backend.bytes[512..<1024].allSatisfy { $0 == 0 })
    #expect(BlockDeviceTests.status(fixture) == 0)
  }

  @Test(arguments: [BlockDeviceTests.flush | BlockDeviceTests.configurableWriteback, 0] as [UInt64])
  func zeroesAreDurableForADriverWithoutACache(features: UInt64) throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend), features: features | 1 << 14)
    if features != 0 { fixture.machine.writeRegister(Register.configuration + 32, width: 1, 0) }

    let data = ranges(fixture, [(0, 8, 0)])
    BlockDeviceTests.request(&fixture, type: 13, data: [data])
    fixture.driver.notify(0)

    #expect(backend.calls.first == .writeZeroes(offset: 0, count: 4096, mayDiscard: false, isDurable: true))
  }

  @Test(
    arguments: [
      (11, 0, 1, 1, 2), (11, 0, 1, 2, 2), (13, 0, 1, 2, 2), (11, 64, 1, 0, 1), (13, 60, 5, 0, 1), (13, 0, 0, 0, 1),
      (11, .max, .max, 0, 1), (13, 0, 0x20_0001, 0, 1),
    ] as [(UInt32, UInt64, UInt32, UInt32, UInt8)]
  )
  func badRangeIsRefused(type: UInt32, sector: UInt64, sectors: UInt32, flags: UInt32, expected: UInt8) throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))

    let data = ranges(fixture, [(sector, sectors, flags)])
    BlockDeviceTests.request(&fixture, type: type, data: [data])
    fixture.driver.notify(0)

    #expect(BlockDeviceTests.status(fixture) == expected)
    #expect(backend.calls.filter { $0 != .commit }.isEmpty)
  }

  @Test(arguments: [8, 24, 16 * 17] as [UInt32])
  func rangesOfAWrongSizeAreAnError(length: UInt32) throws {
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64)))

    BlockDeviceTests.request(&fixture, type: 11, data: [.init(fixture.scratch + 0x1000, length, isWritable: false)])
    fixture.driver.notify(0)

    #expect(BlockDeviceTests.status(fixture) == 1)
  }
}
