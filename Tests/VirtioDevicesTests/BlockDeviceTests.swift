import TestSupport
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@Suite struct BlockDeviceTests {
  static let flush: UInt64 = 1 << 9
  static let configurableWriteback: UInt64 = 1 << 11

  /// Header at the scratch memory's beginning, data at +0x1000, status at +0x100.
  static func request(
    _ fixture: inout DeviceFixture,
    type: UInt32,
    sector: UInt64 = 0,
    data: [DeviceFixture.Queue.Buffer] = [],
    head: UInt16 = 0
  ) {
    let at = fixture.scratch + 0x20 * UInt64(head)
    fixture.machine.store32(type, at: at)
    fixture.machine.store32(0, at: at + 4)
    fixture.machine.store64(sector, at: at + 8)
    fixture.machine.store8(0xEE, at: at + 16)
    fixture.offer(
      [.init(at, 16, isWritable: false)] + data + [.init(at + 16, 1, isWritable: true)],
      to: 0,
      head: head
    )
  }

  static func status(_ fixture: DeviceFixture, head: UInt16 = 0) -> UInt8 {
    fixture.machine.load8(fixture.scratch + 0x20 * UInt64(head) + 16)
  }

  @Test func readFillsTheBuffersWithTheSectors() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))
    let at = fixture.scratch + 0x1000

    Self.request(
      &fixture,
      type: 0,
      sector: 2,
      data: [.init(at, 512, isWritable: true), .init(at + 0x1000, 1024, isWritable: true)]
    )
    fixture.driver.notify(0)

    #expect(firstDifference(fixture.machine.bytes(at: at, count: 512), backend.bytes[1024..<1536]) == nil)
    #expect(firstDifference(fixture.machine.bytes(at: at + 0x1000, count: 1024), backend.bytes[1536..<2560]) == nil)
    #expect(Self.status(fixture) == 0)
    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 1537))
    #expect(backend.calls == [.read(offset: 1024, count: 1536), .commit])
  }

  @Test func writeReachesTheBackendAndIsNotDurableWithAWritebackCache() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))
    let at = fixture.scratch + 0x1000
    fixture.machine.store([UInt8](repeating: 7, count: 512), at: at)

    Self.request(&fixture, type: 1, sector: 63, data: [.init(at, 512, isWritable: false)])
    fixture.driver.notify(0)

    #expect(firstDifference(backend.bytes.suffix(512), repeatElement(7, count: 512)) == nil)
    #expect(Self.status(fixture) == 0)
    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 1))
    #expect(backend.calls == [.write(offset: 32_256, count: 512, isDurable: false), .commit])
  }

  @Test func writeIsDurableForADriverThatCannotFlush() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend), features: 0)

    Self.request(&fixture, type: 1, data: [.init(fixture.scratch + 0x1000, 512, isWritable: false)])
    fixture.driver.notify(0)

    #expect(backend.calls.first == .write(offset: 0, count: 512, isDurable: true))
  }

  @Test func writeIsDurableWhenTheDriverSwitchesTheCacheOffAndNotAfterAReset() throws {
    let backend = MemoryBlock(sectors: 64)
    let device = BlockDevice(name: "disk", backend: backend)
    var fixture = try DeviceFixture(device, features: Self.flush | Self.configurableWriteback)

    fixture.machine.writeRegister(Register.configuration + 32, width: 1, 0)
    Self.request(&fixture, type: 1, data: [.init(fixture.scratch + 0x1000, 512, isWritable: false)])
    fixture.driver.notify(0)
    fixture.driver.reset()

    #expect(backend.calls.first == .write(offset: 0, count: 512, isDurable: true))
    #expect(fixture.machine.readRegister(Register.configuration + 32, width: 1) == 1)
  }

  @Test func driverThatCanSwitchTheCacheAndNotFlushFindsItOffAndCannotSwitchItOn() throws {
    let backend = MemoryBlock(sectors: 64)
    let device = BlockDevice(name: "disk", backend: backend)
    var fixture = try DeviceFixture(device, features: Self.configurableWriteback)

    let shown = fixture.machine.readRegister(Register.configuration + 32, width: 1)
    fixture.machine.writeRegister(Register.configuration + 32, width: 1, 1)
    Self.request(&fixture, type: 1, data: [.init(fixture.scratch + 0x1000, 512, isWritable: false)])
    fixture.driver.notify(0)

    #expect(shown == 0)
    #expect(fixture.machine.readRegister(Register.configuration + 32, width: 1) == 0)
    #expect(backend.calls.first == .write(offset: 0, count: 512, isDurable: true))
  }

  @Test(
    arguments: [(flush, 0), (flush | configurableWriteback, 2), (flush | configurableWriteback, 255)]
      as [(UInt64, UInt64)]
  )
  func writebackThatMayNotBeWrittenSoIsIgnored(features: UInt64, value: UInt64) throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend), features: features)

    fixture.machine.writeRegister(Register.configuration + 32, width: 1, value)
    Self.request(&fixture, type: 1, data: [.init(fixture.scratch + 0x1000, 512, isWritable: false)])
    fixture.driver.notify(0)

    #expect(fixture.machine.readRegister(Register.configuration + 32, width: 1) == 1)
    #expect(backend.calls.first == .write(offset: 0, count: 512, isDurable: false))
  }

  @Test func cacheThatIsSwitchedOffBeforeTheDriverIsReadyStaysOff() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))
    #expect(fixture.driver.negotiate(fixture.driver.offeredFeatures))

    fixture.machine.writeRegister(Register.configuration + 32, width: 1, 0)
    #expect(fixture.driver.enable(fixture.queues[0]))
    fixture.driver.start()
    Self.request(&fixture, type: 1, data: [.init(fixture.scratch + 0x1000, 512, isWritable: false)])
    fixture.driver.notify(0)

    #expect(backend.calls.first == .write(offset: 0, count: 512, isDurable: true))
  }

  /// Type, room for data, whether the back-end fails, and how many bytes from the first one on were written.
  @Test(
    arguments: [
      (0, 512, false, 513), (0, 512, true, 0), (0, 511, false, 0), (4, 0, true, 1), (4, 512, false, 0),
      (8, 20, false, 21),
      (8, 19, false, 20), (8, 21, false, 20), (3, 0, false, 1), (3, 8, false, 0),
    ] as [(UInt32, UInt32, Bool, UInt32)]
  )
  func usedLengthCountsTheStatusWhereNoGapIsBeforeIt(type: UInt32, room: UInt32, fails: Bool, used: UInt32) throws {
    let backend = MemoryBlock(sectors: 64)
    backend.fails = fails
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))

    let data = room > 0 ? [DeviceFixture.Queue.Buffer(fixture.scratch + 0x1000, room, isWritable: true)] : []
    Self.request(&fixture, type: type, data: data)
    fixture.driver.notify(0)

    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: used))
  }

  @Test func queueResetWaitsForItsOwnRequestsWhileAnotherQueueGoesOn() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.isDeferred = true
    let device = BlockDevice(name: "disk", backend: backend, queueCount: 2)
    var fixture = try DeviceFixture(device)
    let data = [DeviceFixture.Queue.Buffer(fixture.scratch + 0x1000, 512, isWritable: true)]
    Self.request(&fixture, type: 0, data: data)
    fixture.driver.notify(0)
    let at = fixture.scratch + 0x200
    fixture.machine.store32(4, at: at)
    var rounds = 0
    var answeredMeanwhile: UInt16 = 0
    fixture.thread.whileWaiting = {
      rounds += 1
      if rounds == 1 {
        fixture.offer([.init(at, 16, isWritable: false), .init(at + 16, 1, isWritable: true)], to: 1)
        backend.isDeferred = false
        _ = device.kick(1)
        answeredMeanwhile = fixture.queues[1].usedIndex
      }
      if rounds == 3 {
        backend.finishAll()
        _ = device.backendReady()
      }
    }

    fixture.driver.write(0, to: Register.queueSel)
    fixture.driver.write(1, to: Register.queueReset)

    #expect(rounds == 3)
    #expect(answeredMeanwhile == 1)
    #expect(fixture.driver.read(Register.queueReset) == 0)
    #expect(fixture.queues[0].usedIndex == 0)
    #expect(Self.status(fixture) == 0xEE)
  }

  @Test func backendThatCannotGiveUpSpaceSaysSo() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.zeroesMayUnmap = false
    let fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))
    let other = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64)))

    #expect(fixture.machine.readRegister(Register.configuration + 56, width: 1) == 0)
    #expect(other.machine.readRegister(Register.configuration + 56, width: 1) == 1)
  }

  @Test func flushIsAnsweredWhenTheBackendHasFinishedIt() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.isDeferred = true
    let device = BlockDevice(name: "disk", backend: backend)
    var fixture = try DeviceFixture(device)

    Self.request(&fixture, type: 4)
    fixture.driver.notify(0)
    #expect(fixture.queues[0].usedIndex == 0)
    #expect(Self.status(fixture) == 0xEE)
    backend.finishAll()
    _ = device.backendReady()

    #expect(Self.status(fixture) == 0)
    #expect(fixture.queues[0].usedIndex == 1)
    #expect(fixture.machine.line.count == 1)
  }

  @Test func flushReachesTheBackendAfterTheCacheWasSwitchedOff() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))
    Self.request(&fixture, type: 1, data: [.init(fixture.scratch + 0x1000, 512, isWritable: false)])
    fixture.driver.notify(0)

    fixture.machine.writeRegister(Register.configuration + 32, width: 1, 0)
    Self.request(&fixture, type: 4, head: 3)
    fixture.driver.notify(0)

    #expect(backend.calls.filter { $0 != .commit } == [.write(offset: 0, count: 512, isDurable: false), .flush])
  }

  @Test func flushOfAReadOnlyDiskIsAnsweredAtOnce() throws {
    let backend = MemoryBlock(sectors: 64, isReadOnly: true)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))

    Self.request(&fixture, type: 4)
    fixture.driver.notify(0)

    #expect(Self.status(fixture) == 0)
    #expect(backend.calls == [.commit])
  }

  @Test(arguments: [0, 1, 4, 11, 13] as [UInt32])
  func backendErrorIsAnErrorInTheGuest(type: UInt32) throws {
    let backend = MemoryBlock(sectors: 64)
    backend.fails = true
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))
    let at = fixture.scratch + 0x1000
    fixture.machine.store64(0, at: at)
    fixture.machine.store32(8, at: at + 8)
    fixture.machine.store32(0, at: at + 12)
    let data: [DeviceFixture.Queue.Buffer] =
      switch type {
      case 0: [.init(at, 512, isWritable: true)]
      case 1: [.init(at, 512, isWritable: false)]
      case 4: []
      default: [.init(at, 16, isWritable: false)]
      }

    Self.request(&fixture, type: type, data: data)
    fixture.driver.notify(0)

    #expect(Self.status(fixture) == 1)
    #expect(fixture.driver.status & Status.deviceNeedsReset == 0)
    #expect(fixture.machine.faults == [])
  }

  @Test(
    arguments: [
      (0, 64, 512), (0, 63, 1024), (0, .max, 512), (0, .max / 512, 512), (0, 0, 511), (0, 0, 513), (1, 64, 512),
      (1, 0, 100),
    ] as [(UInt32, UInt64, UInt32)]
  )
  func accessThatIsNotOnTheDiskIsAnError(type: UInt32, sector: UInt64, length: UInt32) throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))

    Self.request(
      &fixture,
      type: type,
      sector: sector,
      data: [.init(fixture.scratch + 0x1000, length, isWritable: type == 0)]
    )
    fixture.driver.notify(0)

    #expect(Self.status(fixture) == 1)
    #expect(backend.calls.filter { $0 != .commit }.isEmpty)
  }

  @Test func writeToAReadOnlyDiskIsAnError() throws {
    let backend = MemoryBlock(sectors: 64, isReadOnly: true)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))

    Self.request(&fixture, type: 1, data: [.init(fixture.scratch + 0x1000, 512, isWritable: false)])
    fixture.driver.notify(0)

    #expect(Self.status(fixture) == 1)
    #expect(backend.calls == [.commit])
    #expect(fixture.driver.offeredFeatures & (1 << 5) != 0)
    #expect(fixture.driver.offeredFeatures & (1 << 13 | 1 << 14) == 0)
  }

  @Test func identifierIsTheSerialNumberPaddedWithZeros() throws {
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64), serial: "APUS-1"))
    let at = fixture.scratch + 0x1000
    fixture.machine.store([UInt8](repeating: 0xFF, count: 21), at: at)

    Self.request(&fixture, type: 8, data: [.init(at, 20, isWritable: true)])
    fixture.driver.notify(0)

    #expect(
      fixture.machine.bytes(at: at, count: 21) == Array("APUS-1".utf8) + [UInt8](repeating: 0, count: 14) + [0xFF]
    )
    #expect(Self.status(fixture) == 0)
  }

  @Test(arguments: [2, 3, 5, 10, 14, .max] as [UInt32])
  func unknownRequestIsUnsupported(type: UInt32) throws {
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64)))

    Self.request(&fixture, type: type)
    fixture.driver.notify(0)

    #expect(Self.status(fixture) == 2)
  }

  @Test func headerThatIsTooShortIsAFault() throws {
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64)))

    fixture.request(
      [.init(fixture.scratch, 15, isWritable: false), .init(fixture.scratch + 16, 1, isWritable: true)],
      to: 0
    )

    #expect(fixture.machine.faults == [.headerIncomplete])
  }

  @Test func requestWithoutRoomForAStatusIsAFault() throws {
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64)))

    fixture.request([.init(fixture.scratch, 16, isWritable: false)], to: 0)

    #expect(fixture.machine.faults == [.writableMissing])
  }

  @Test func dataOfTheWrongDirectionIsAFault() throws {
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64)))

    Self.request(&fixture, type: 0, data: [.init(fixture.scratch + 0x1000, 512, isWritable: false)])
    fixture.driver.notify(0)

    #expect(fixture.machine.faults == [.readableUnexpected])
  }

  @Test func batchGoesToTheBackendTogetherAndGetsOneInterrupt() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))
    for head in [0, 3, 6, 9] as [UInt16] {
      Self.request(
        &fixture,
        type: 0,
        sector: UInt64(head),
        data: [.init(fixture.scratch + 0x1000, 512, isWritable: true)],
        head: head
      )
    }

    fixture.driver.notify(0)

    #expect(backend.calls.filter { $0 == .commit }.count == 1)
    #expect(fixture.queues[0].usedIndex == 4)
    #expect(fixture.machine.line.count == 1)
  }

  @Test func turnEndsWithTheRequestThatReachesItsLimitOfBytes() throws {
    let device = BlockDevice(name: "disk", backend: MemoryBlock(sectors: 2048))
    var fixture = try DeviceFixture(device, queueSize: 64)
    let half = DeviceFixture.Queue.Buffer(fixture.scratch + 0x1000, 512 << 10, isWritable: true)
    for head in 0..<10 as Range<UInt16> {
      Self.request(&fixture, type: 0, data: [half, half], head: 4 * head)
    }

    let turns = (0..<3).map { _ in (isLeft: device.kick(0), answered: fixture.queues[0].usedIndex) }

    #expect(turns.map(\.isLeft) == [true, true, false])
    #expect(turns.map(\.answered) == [4, 8, 10])
  }

  @Test func resetWaitsForWhatIsInFlightAndGivesNothingBack() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.isDeferred = true
    let device = BlockDevice(name: "disk", backend: backend)
    var fixture = try DeviceFixture(device)
    Self.request(&fixture, type: 0, data: [.init(fixture.scratch + 0x1000, 512, isWritable: true)])
    fixture.driver.notify(0)
    var rounds = 0
    fixture.thread.whileWaiting = {
      rounds += 1
      if rounds == 3 {
        backend.finishAll()
        _ = device.backendReady()
      }
    }

    fixture.driver.reset()

    #expect(rounds == 3)
    #expect(backend.inFlight == 0)
    #expect(fixture.queues[0].usedIndex == 0)
    #expect(Self.status(fixture) == 0xEE)
    #expect(fixture.driver.status == 0)
  }

  @Test func requestsBeforeABadOneInTheSameBatchAreAnsweredAndAResetEnds() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend))
    let data = [DeviceFixture.Queue.Buffer(fixture.scratch + 0x1000, 512, isWritable: true)]

    Self.request(&fixture, type: 0, data: data)
    fixture.queues[0].offer(16)
    fixture.driver.notify(0)

    #expect(fixture.driver.status & Status.deviceNeedsReset != 0)
    #expect(Self.status(fixture) == 0)
    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 513))
    fixture.driver.reset()
    #expect(fixture.driver.status == 0)
  }

  @Test func suspensionFinishesWhatIsInFlightAndGivesItBack() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.isDeferred = true
    let device = BlockDevice(name: "disk", backend: backend)
    var fixture = try DeviceFixture(device)
    Self.request(&fixture, type: 0, data: [.init(fixture.scratch + 0x1000, 512, isWritable: true)])
    fixture.driver.notify(0)
    fixture.thread.whileWaiting = {
      backend.finishAll()
      _ = device.backendReady()
    }

    fixture.machine.transport.suspend()
    Self.request(&fixture, type: 4, head: 4)
    fixture.driver.notify(0)

    #expect(fixture.queues[0].usedIndex == 1)
    let positions = try fixture.machine.transport.savedState().connection.positions
    #expect(positions == [QueuePosition(nextAvailable: 1, nextUsed: 1)])
    fixture.thread.whileWaiting = {}
    backend.isDeferred = false
    fixture.machine.transport.resume()
    #expect(fixture.queues[0].usedIndex == 2)
  }

  @Test func suspensionThatIsTakenBackBeforeItsEndLosesNothing() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.isDeferred = true
    let device = BlockDevice(name: "disk", backend: backend)
    var fixture = try DeviceFixture(device)
    let ends = Ends()
    Self.request(&fixture, type: 0, data: [.init(fixture.scratch + 0x1000, 512, isWritable: true)])
    fixture.driver.notify(0)

    // The disk does not answer, and the machine goes on.
    for _ in 0..<3 {
      fixture.machine.transport.beginSuspension { ends.count += 1 }
      fixture.machine.transport.endSuspension()
    }
    Self.request(&fixture, type: 4, head: 4)
    fixture.driver.notify(0)
    let inFlight = (backend.inFlight, ends.count)
    fixture.machine.transport.beginSuspension { ends.count += 1 }
    let beforeTheAnswer = ends.count
    backend.finishAll()
    _ = device.backendReady()
    let afterTheAnswer = (ends.count, fixture.queues[0].usedIndex)
    fixture.machine.transport.endSuspension()

    #expect(inFlight == (2, 0))
    #expect(beforeTheAnswer == 0)
    #expect(afterTheAnswer == (4, 2))
    #expect(fixture.machine.faults.isEmpty)
  }

  private final class Ends: @unchecked Sendable {
    // SAFETY: @unchecked: the test uses it on one thread.
    var count = 0
  }

  @Test func guestThatOffersOneChainOverAndOverIsHeldAtTheNumberOfRequests() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.isDeferred = true
    let device = BlockDevice(name: "disk", backend: backend, queueSize: 16)
    var fixture = try DeviceFixture(device)
    for _ in 0..<40 {
      Self.request(&fixture, type: 4)
      fixture.driver.notify(0)
      if fixture.queues[0].nextAvailable == 32 { break }
    }
    #expect(backend.inFlight == 16)

    backend.finishAll()
    _ = device.backendReady()

    #expect(backend.inFlight == 16)
    #expect(fixture.queues[0].usedIndex == 16)
    #expect(fixture.machine.faults == [])
  }

  @Test func guestThatOffersWhileTheDeviceTakesIsServedToTheEndThoughTheRequestsRunOut() throws {
    let backend = MemoryBlock(sectors: 64)
    var fixture = try DeviceFixture(BlockDevice(name: "disk", backend: backend, queueSize: 16), queueSize: 16)
    let chain = DeviceFixture.Queue.Buffer(fixture.scratch + 0x1000, 512, isWritable: true)
    Self.request(&fixture, type: 0, data: [chain])
    var racing = fixture.queues[0]
    var offered = 1
    backend.onBegin = {
      guard offered < 100 else { return }
      offered += 1
      racing.offer(0)
    }

    fixture.driver.notify(0)

    #expect(offered == 100)
    #expect(fixture.queues[0].usedIndex == 100)
    #expect(fixture.machine.faults == [])
  }

  @Test func configurationSpaceDescribesTheDisk() throws {
    let fixture = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64), queueCount: 4))
    let read = { (offset: UInt64, width: Int) in
      fixture.machine.readRegister(Register.configuration + offset, width: width)
    }

    #expect(read(0, 4) == 64)
    #expect(read(12, 4) == 126)
    #expect(read(20, 4) == 512)
    #expect(read(24, 1) == 3)
    #expect(read(34, 2) == 4)
    #expect(read(44, 4) == 8)
    #expect(fixture.queues.count == 4)
  }

  @Test func changedCapacityIsShownAndInterrupts() throws {
    let backend = MemoryBlock(sectors: 64)
    let device = BlockDevice(name: "disk", backend: backend)
    var fixture = try DeviceFixture(device)

    backend.bytes.removeLast(32 * 512)
    device.capacityChanged()
    Self.request(&fixture, type: 0, sector: 32, data: [.init(fixture.scratch + 0x1000, 512, isWritable: true)])
    fixture.driver.notify(0)

    #expect(fixture.machine.readRegister(Register.configuration, width: 4) == 32)
    #expect(fixture.driver.interruptStatus == 3)
    #expect(Self.status(fixture) == 1)
  }
}
