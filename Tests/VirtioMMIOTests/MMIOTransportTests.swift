import Testing
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@Suite struct MMIOTransportTests {
  let machine: TestMachine
  let device = EchoDevice()

  init() throws {
    machine = try TestMachine(device)
  }

  @Test func identificationRegistersReadAsTheSpecificationSays() {
    #expect(machine.driver.read(Register.magicValue) == 0x7472_6976)
    #expect(machine.driver.read(Register.version) == 2)
    #expect(machine.driver.read(Register.deviceID) == 4)
    #expect(machine.driver.read(Register.vendorID) == 0x7375_7041)
  }

  @Test(
    arguments: [
      // U-Boot's, without ACKNOWLEDGE.
      ([2, 10, 14], [.statusOutOfOrder]),
      // In order, each with those before it.
      ([1, 3, 11, 15], []),
      // Each bit in the place of the one before.
      ([1, 2, 8, 4], [.statusCleared, .statusCleared, .statusCleared]),
      // DRIVER_OK alone, or all at once.
      ([4], [.statusOutOfOrder]), ([15], []),
      // Given up and taken up again without a reset.
      ([15, 128, 15], [.statusCleared, .statusCleared]),
    ] as [([UInt32], [DriverFault])]
  )
  func statusReadsAsItWasWrittenInAnyOrderAndTheDeviceWorks(steps: [UInt32], notices: [DriverFault]) throws {
    var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
    machine.driver.reset()
    #expect(machine.driver.status == 0)
    machine.driver.writeFeatures(HostileDriverTests.features)
    var read: [UInt32] = []

    for step in steps {
      machine.driver.write(step, to: Register.status)
      read.append(machine.driver.status)
    }

    #expect(read == steps)
    #expect(machine.faults == notices)
    #expect(machine.driver.enable(queue))
    let buffer = machine.windowStart + 0x1000
    queue.writeChain([.init(buffer, 1, isWritable: false), .init(buffer + 8, 1, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)
    #expect(queue.takeUsed() == DriverQueue<TestMachine>.Used(head: 0, written: 1))
  }

  @Test(arguments: [[8], [3, 11], [4], [15]] as [[UInt32]])
  func featuresThatTheDeviceCannotWorkWithNeverStickInWhateverOrder(steps: [UInt32]) {
    machine.driver.reset()
    machine.driver.writeFeatures(Feature.version1)

    for step in steps { machine.driver.write(step, to: Register.status) }

    let agreement = Status.featuresOK | Status.driverOK
    #expect(machine.driver.status == steps.last.map { $0 & ~agreement })
    #expect(machine.faults == [.accessPlatformMissing])
    #expect(device.startedWith == nil)
  }

  @Test func settledFeaturesStayUntilBothBitsThatSettleThemAreGone() {
    machine.driver.reset()
    machine.driver.writeFeatures(HostileDriverTests.features)
    machine.driver.write(15, to: Register.status)

    // FEATURES_OK goes, the device runs: what it works with does not change under it.
    machine.driver.write(7, to: Register.status)
    machine.driver.write(0, to: Register.driverFeatures)
    #expect(machine.faults == [.statusCleared, .featuresChangedAfterOK])
    machine.driver.write(15, to: Register.status)
    #expect(machine.driver.status == 15)

    // Neither: the driver may choose anew, and is asked anew.
    machine.driver.write(3, to: Register.status)
    machine.driver.writeFeatures(Feature.version1)
    machine.driver.write(15, to: Register.status)
    #expect(machine.driver.status == 3)
    #expect(device.startedWith == nil)
  }

  @Test func withoutDriverOKTheDeviceRestsAndTheQueuesAreTheDriversAgain() throws {
    var queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    let buffer = machine.windowStart + 0x1000
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()

    machine.driver.write(11, to: Register.status)
    queue.writeChain([.init(buffer, 1, isWritable: false), .init(buffer + 8, 1, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)

    #expect(machine.driver.status == 11)
    #expect(machine.driver.read(Register.queueReady) == 0)
    #expect(queue.usedIndex == 0)
    #expect(machine.driver.interruptStatus == 0)
    #expect(machine.faults == [.statusCleared, .kickBeforeDriverOK])

    #expect(machine.driver.enable(queue))
    machine.driver.start()
    #expect(queue.takeUsed() == DriverQueue<TestMachine>.Used(head: 0, written: 1))
  }

  @Test func needOfAResetOutlivesWhateverIsWrittenButTheReset() throws {
    var bad = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    bad.deviceArea += 2
    #expect(!machine.driver.enable(bad))

    for value in [15, 3, 64, 15] as [UInt32] { machine.driver.write(value, to: Register.status) }

    #expect(machine.driver.status == 15 | Status.deviceNeedsReset)
    #expect(device.startedWith == nil)
    machine.driver.reset()
    #expect(machine.driver.status == 0)
  }

  @Test(arguments: [0x100, 0x40, 0x30] as [UInt32])
  func writeOfNoneOfTheDriversBitsIsNeitherAStepNorAReset(value: UInt32) {
    #expect(machine.driver.negotiate(HostileDriverTests.features))

    machine.driver.write(value, to: Register.status)

    #expect(machine.driver.status == 11)
  }

  @Test func offeredFeaturesAreTheDevicesAndTheTransports() {
    #expect(
      machine.driver.offeredFeatures
        == Feature.indirectDescriptors | Feature.eventIndex | Feature.version1 | Feature.accessPlatform
        | Feature.ringReset
    )
  }

  @Test func featureWordsBeyondTheSecondReadAsZero() {
    machine.driver.write(2, to: Register.deviceFeaturesSel)

    #expect(machine.driver.read(Register.deviceFeatures) == 0)
  }

  @Test func queueSizeMaxIsZeroForAQueueThatIsNotThere() {
    machine.driver.write(1, to: Register.queueSel)
    #expect(machine.driver.read(Register.queueSizeMax) == 16)
    machine.driver.write(2, to: Register.queueSel)
    #expect(machine.driver.read(Register.queueSizeMax) == 0)
    #expect(machine.driver.read(Register.queueReady) == 0)
  }

  @Test func sharedMemoryRegionThatIsNotThereHasAllBitsSet() {
    machine.driver.write(0, to: Register.shmSel)
    #expect(machine.driver.read(Register.shmLenLow) == .max)
    #expect(machine.driver.read(Register.shmLenHigh) == .max)
    #expect(machine.driver.read(Register.shmBaseLow) == .max)
    #expect(machine.driver.read(Register.shmBaseHigh) == .max)
  }

  @Test func sharedMemoryRegionShowsLengthAndBase() {
    machine.driver.write(3, to: Register.shmSel)
    #expect(machine.driver.read(Register.shmLenLow) == 0x1000)
    #expect(machine.driver.read(Register.shmLenHigh) == 2)
    #expect(machine.driver.read(Register.shmBaseLow) == 0x2345_6000)
    #expect(machine.driver.read(Register.shmBaseHigh) == 1)
  }

  @Test(
    arguments: [(0, 1, 0x01), (0, 2, 0x0201), (0, 4, 0x0403_0201), (3, 1, 0x04), (6, 2, 0x0807)]
      as [(UInt64, Int, UInt64)]
  )
  func configurationIsReadInAlignedPieces(offset: UInt64, width: Int, expected: UInt64) {
    #expect(machine.readRegister(Register.configuration + offset, width: width) == expected)
    #expect(machine.faults == [])
  }

  @Test(arguments: [(1, 2), (2, 4), (0, 8)] as [(UInt64, Int)])
  func configurationAccessOfWrongWidthReadsZero(offset: UInt64, width: Int) {
    #expect(machine.readRegister(Register.configuration + offset, width: width) == 0)
    #expect(machine.faults == [.registerWidth])
  }

  @Test func configurationWriteReachesTheDeviceWithItsOffset() {
    machine.writeRegister(Register.configuration + 4, width: 4, 0xAABB_CCDD)

    #expect(device.configurationWrites == [.init(offset: 4, count: 4)])
    #expect(device.configuration.load(4, as: UInt32.self) == 0xAABB_CCDD)
  }

  @Test func configurationChangeMovesTheGenerationAndInterruptsARunningDriver() throws {
    let before = machine.driver.read(Register.configGeneration)
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    machine.driver.start()

    device.configuration.change { $0[0] = 0x55 }
    machine.transport.connection.interruptForConfigurationChange()

    #expect(machine.driver.read(Register.configGeneration) != before)
    #expect(machine.driver.interruptStatus == 2)
    #expect(machine.line.count == 1)
  }

  @Test func configurationChangeDoesNotInterruptBeforeDriverOK() {
    machine.transport.connection.interruptForConfigurationChange()

    #expect(machine.driver.interruptStatus == 0)
    #expect(machine.line.count == 0)
  }

  @Test func interruptStatusKeepsBitsThatWereNotAcknowledged() throws {
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    machine.driver.start()
    machine.transport.connection.interruptForUsedBuffers(in: 1)
    machine.transport.connection.interruptForConfigurationChange()

    machine.driver.write(1, to: Register.interruptACK)

    #expect(machine.driver.interruptStatus == 2)
  }

  @Test func resetForgetsStatusFeaturesQueuesAndInterrupts() throws {
    var queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    queue.writeChain([.init(machine.windowStart + 0x1000, 4, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)
    #expect(machine.driver.interruptStatus == 1)

    machine.driver.reset()

    #expect(machine.driver.status == 0)
    #expect(machine.driver.interruptStatus == 0)
    #expect(machine.driver.read(Register.queueReady) == 0)
    machine.driver.notify(0)
    #expect(machine.faults == [.kickBeforeDriverOK])
  }

  @Test func queueResetStopsTheQueueAloneAndItCanBeEnabledAgain() throws {
    var queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    let buffer = machine.windowStart + 0x1000
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()

    machine.driver.write(0, to: Register.queueSel)
    machine.driver.write(1, to: Register.queueReset)
    #expect(machine.driver.read(Register.queueReset) == 0)
    #expect(machine.driver.read(Register.queueReady) == 0)
    machine.driver.notify(0)
    #expect(machine.faults == [.kickBeforeReady])

    queue = DriverQueue(machine, index: 0, size: 4, at: machine.windowStart + 0x800)
    queue.writeChain([.init(buffer, 1, isWritable: false), .init(buffer + 8, 1, isWritable: true)])
    queue.offer(0)
    #expect(machine.driver.enable(queue))
    #expect(queue.takeUsed() == DriverQueue<TestMachine>.Used(head: 0, written: 1))
    #expect(machine.driver.status & Status.deviceNeedsReset == 0)
  }

  @Test func driverThatTakesAQueueBackGetsNothingFromItAnyMore() throws {
    var queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()

    machine.driver.write(0, to: Register.queueReady)
    queue.writeChain([.init(machine.windowStart + 0x1000, 4, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)

    #expect(machine.driver.read(Register.queueReady) == 0)
    #expect(queue.usedIndex == 0)
  }

  @Test func notificationsThatAreOnTheirWayAreForgottenWithTheQueueThatIsTakenAway() throws {
    let queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    machine.driver.reset()
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    let before = machine.discards.queues.count

    machine.driver.write(0, to: Register.queueReady)
    #expect(machine.driver.enable(queue))
    machine.driver.write(1, to: Register.queueReset)
    machine.driver.write(11, to: Register.status)
    machine.driver.reset()

    #expect(Array(machine.discards.queues.dropFirst(before)) == [0, 0, nil, nil])
  }

  @Test(
    "a turn that was still to come is none of a queue that was taken away meanwhile",
    arguments: [(Register.queueReady, 0), (Register.queueReset, 1), (Register.status, 11), (Register.status, 0)]
      as [(UInt64, UInt32)]
  )
  func turnAfterTheEnd(register: UInt64, value: UInt32) throws {
    let queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    machine.driver.write(0, to: Register.queueSel)

    machine.thread.post { [machine] in
      machine.transport.kickAgain(queue: 0)
      machine.driver.write(value, to: register)
    }

    #expect(machine.faults == (register == Register.status && value == 11 ? [.statusCleared] : []))
  }

  @Test func turnThatIsCutShortAsksToBeCalledAgain() throws {
    var queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    device.turn = 2
    for head in 0..<3 {
      queue.writeDescriptor(UInt16(head), machine.windowStart + 0x1000, 4, flags: 2)
      queue.offer(UInt16(head))
    }

    #expect(machine.transport.kick(queue: 0))
    #expect(queue.usedIndex == 2)
    #expect(!machine.transport.kick(queue: 0))
    #expect(queue.usedIndex == 3)
  }

  @Test func notificationByRegisterIsRepeatedUntilAllIsDone() throws {
    var queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    device.turn = 1
    for head in 0..<3 {
      queue.writeDescriptor(UInt16(head), machine.windowStart + 0x1000, 4, flags: 2)
      queue.offer(UInt16(head))
    }

    machine.driver.notify(0)

    #expect(queue.usedIndex == 3)
  }

  @Test func failedDeviceIsNotStartedAndKicksOfItAreIgnored() throws {
    let bad = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    var good = DriverQueue(machine, index: 1, size: 8, at: machine.windowStart + 0x800)
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    var misaligned = bad
    misaligned.deviceArea += 2
    #expect(!machine.driver.enable(misaligned))
    #expect(machine.driver.enable(good))

    machine.driver.start()
    good.writeChain([.init(machine.windowStart + 0x1000, 4, isWritable: true)])
    good.offer(0)
    machine.driver.notify(1)

    #expect(good.usedIndex == 0)
    #expect(machine.driver.status & Status.deviceNeedsReset != 0)
    #expect(machine.faults == [.ringMisaligned])
  }
}
