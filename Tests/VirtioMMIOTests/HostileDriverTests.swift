import GuestMemory
import Testing
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@Suite struct HostileDriverTests {
  static let features = Feature.version1 | Feature.accessPlatform | Feature.ringReset | Feature.indirectDescriptors

  @Test(arguments: HostileChain.allCases)
  func hostileChainNeedsAResetAndTheDeviceWorksAfterIt(hostile: HostileChain) throws {
    let machine = try TestMachine(EchoDevice())
    let driver = machine.driver
    var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
    #expect(driver.negotiate(Self.features))
    #expect(driver.enable(queue))
    driver.start()

    hostile.build(on: &queue, buffer: machine.windowStart + 0x1000)
    driver.notify(0)

    #expect(driver.status & Status.deviceNeedsReset != 0)
    #expect(driver.interruptStatus == 2)
    #expect(machine.line.count == 1)
    #expect(queue.usedIndex == 0)
    #expect(machine.observer.events.map { "\($0.device) \($0.queue ?? -1) \($0.fault)" } == ["echo 0 \(hostile.fault)"])
    #expect(try echoes([1, 2, 3], on: machine) == [1, 2, 3])
  }

  @Test(arguments: HostileSetup.allCases)
  func hostileSetupHasItsOutcomeAndTheDeviceWorksAfterIt(hostile: HostileSetup) throws {
    let machine = try TestMachine(EchoDevice())
    let queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)

    hostile.attempt(
      on: machine.driver,
      features: Self.features,
      queue: queue,
      other: 1,
      unknown: 2,
      configurationSize: 8
    )

    #expect(machine.faults.map { "\($0)" } == ["\(hostile.fault)"])
    #expect((machine.driver.status & Status.deviceNeedsReset != 0) == hostile.needsReset)
    #expect(machine.driver.status & hostile.statusAfter.set == hostile.statusAfter.set)
    #expect(machine.driver.status & hostile.statusAfter.clear == 0)
    machine.driver.write(0, to: Register.queueSel)
    #expect((machine.driver.read(Register.queueReady) == 1) == hostile.isQueueReadyAfter)
    #expect(try echoes([4, 5], on: machine) == [4, 5])
  }

  @Test func casesAreNamedAsInTheSource() {
    #expect(HostileChain.allCases.map { "\($0.name)" } == HostileChain.allCases.map { "\($0)" })
    #expect(HostileSetup.allCases.map { "\($0.name)" } == HostileSetup.allCases.map { "\($0)" })
    #expect(HostileRace.allCases.map { "\($0.name)" } == HostileRace.allCases.map { "\($0)" })
  }

  @Test func driverThatDoesNotAcceptTheConfinementGetsNoFeaturesOK() throws {
    let machine = try TestMachine(EchoDevice())

    let agreed = machine.driver.negotiate(Feature.version1)

    #expect(!agreed)
    #expect(machine.faults == [.accessPlatformMissing])
  }

  @Test func openMachineNeitherOffersNorAsksForConfinement() throws {
    let machine = try TestMachine(EchoDevice(), isConfined: false)

    let agreed = machine.driver.negotiate(Feature.version1)

    #expect(agreed)
    #expect(machine.driver.offeredFeatures & Feature.accessPlatform == 0)
  }

  @Test func contentChangedAfterItWasTakenIsNotReadAgain() throws {
    let device = EchoDevice()
    let machine = try TestMachine(device)
    let driver = machine.driver
    var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
    let buffer = machine.windowStart + 0x1000
    #expect(driver.negotiate(Self.features))
    #expect(driver.enable(queue))
    driver.start()
    machine.store([9, 9], at: buffer)
    queue.writeChain([.init(buffer, 2, isWritable: false), .init(buffer + 16, 2, isWritable: true)])
    let racing = queue

    // The racing vCPU redirects both descriptors, and the ring, once the device has the chain.
    device.onTake = {
      racing.writeDescriptor(0, 0, 0xFFFF_FFFF, flags: 7, next: 0xFFFF)
      racing.writeDescriptor(1, 0, 0xFFFF_FFFF, flags: 7, next: 0xFFFF)
      machine.store16(0xFFFF, at: racing.driverArea + 4)
    }
    queue.offer(0)
    driver.notify(0)

    #expect(machine.bytes(at: buffer + 16, count: 2) == [9, 9])
    #expect(queue.takeUsed() == DriverQueue<TestMachine>.Used(head: 0, written: 2))
    #expect(machine.faults == [])
  }

  @Test func refusedAccessesAreCountedAndNoOthersAre() throws {
    let machine = try TestMachine(EchoDevice())
    #expect(try echoes([1], on: machine) == [1])
    var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
    let before = machine.transport.connection.counters.memory.refusedAccesses
    #expect(machine.driver.negotiate(Self.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()

    HostileChain.descriptorOutsideWindow.build(on: &queue, buffer: machine.windowStart + 0x1000)
    machine.driver.notify(0)

    #expect(before == 0)
    #expect(machine.transport.connection.counters.memory.refusedAccesses == 1)
    #expect(machine.transport.connection.counters.faults == 1)
  }

  @Test func eventsOfAFloodAreCountedButNotAllReported() throws {
    let machine = try TestMachine(EchoDevice())

    for _ in 0..<1000 { machine.driver.write(0, to: Register.magicValue) }

    #expect(machine.observer.events.count == DeviceConnection.reportedFaults)
    for _ in 0..<1000 {
      machine.driver.reset()
      machine.driver.write(0, to: Register.magicValue)
    }
    #expect(machine.observer.events.count <= DeviceConnection.reportedFaultsInAll)
    #expect(machine.transport.connection.counters.faults == 2000)
  }

  /// Resets the device, sets queue 0 up and has it echo.
  private func echoes(_ bytes: [UInt8], on machine: TestMachine) throws -> [UInt8] {
    var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
    let buffer = machine.windowStart + 0x1000
    #expect(machine.driver.negotiate(Self.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    machine.store(bytes, at: buffer)
    queue.writeChain([
      .init(buffer, UInt32(bytes.count), isWritable: false), .init(buffer + 256, UInt32(bytes.count), isWritable: true),
    ])
    queue.offer(0)
    machine.driver.notify(0)
    let used = queue.takeUsed()
    #expect(used == DriverQueue<TestMachine>.Used(head: 0, written: UInt32(bytes.count)))
    return machine.bytes(at: buffer + 256, count: bytes.count)
  }
}
