import Foundation
import GuestMemory
import TestSupport
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

/// What devices behind an IOMMU reach, and what becomes of their requests when that changes.
@Suite struct IOMMUAccessTests {
  private typealias Fault = IOMMUDriver<TranslatedMachine>.Fault
  private static let page = IOMMUFixture.page
  private static let disk = IOMMUFixture.disk
  private static let other = IOMMUFixture.other
  private static let read: UInt32 = 0x101
  private static let write: UInt32 = 0x102

  private func fault(_ reason: UInt32, _ flags: UInt32, at address: UInt64, of endpoint: UInt32 = disk) -> Fault {
    Fault(reason: reason, flags: flags, endpoint: endpoint, address: address)
  }

  /// A disk that is attached, with its queue and two pages of buffers mapped.
  private func working() throws -> IOMMUFixture {
    var fixture = try IOMMUFixture()
    fixture.startDisk()
    #expect(fixture.map(32, count: 2) == 0)
    return fixture
  }

  @Test func aDeviceThatIsNotAttachedReachesNothingAndTheDriverIsTold() throws {
    var fixture = try IOMMUFixture()
    fixture.driver.offerEvent(0)

    #expect(fixture.enableDisk() == false)

    #expect(fixture.diskMachine.faults.first == .ringOutsideWindow)
    #expect(fixture.diskMachine.needsReset)
    #expect(fixture.driver.takeFault() == fault(1, Self.read, at: fixture.page(16)))
    #expect(fixture.iommu.counters.faults == 1)
  }

  @Test func anAttachedDeviceReachesNothingThatIsNotMapped() throws {
    var fixture = try IOMMUFixture()
    #expect(fixture.attach(domain: 1, endpoint: Self.disk) == 0)
    // Another device's mappings are another's.
    #expect(fixture.attach(domain: 2, endpoint: Self.other) == 0)
    #expect(fixture.map(domain: 2, fixture.page(0), fixture.page(256) - 1, to: fixture.page(0)) == 0)
    fixture.driver.offerEvent(0)

    #expect(fixture.enableDisk() == false)

    #expect(fixture.driver.takeFault() == fault(2, Self.read, at: fixture.page(16)))
  }

  @Test func aDriverWithoutAccessPlatformIsNotAgreedWith() throws {
    let fixture = try IOMMUFixture()
    let driver = fixture.diskMachine.driver

    #expect(driver.offeredFeatures & Feature.accessPlatform != 0)
    #expect(!driver.negotiate(Feature.version1))
    #expect(fixture.diskMachine.faults == [.accessPlatformMissing])
    #expect(driver.negotiate(Feature.version1 | Feature.accessPlatform))
  }

  @Test func whatIsMappedElsewhereIsReadAndWrittenThere() throws {
    var fixture = try IOMMUFixture()
    fixture.startDisk()
    #expect(fixture.map(100, to: 32) == 0)

    // The driver writes where it is, and names it as the device is to.
    fixture.readSector(at: fixture.page(32))
    #expect(fixture.diskMachine.faults == [.descriptorOutsideWindow])
    #expect(fixture.enableDisk() == true)
    for offset: UInt64 in [0, 8] { fixture.diskMachine.store64(0, at: fixture.page(32) + offset) }
    let place = fixture.page(100)
    fixture.queue.writeChain([
      .init(place, 16, isWritable: false), .init(place + 512, 512, isWritable: true),
      .init(place + 16, 1, isWritable: true),
    ])
    fixture.queue.offer(0)
    fixture.diskMachine.driver.notify(0)

    #expect(fixture.queue.takeUsed() == .init(head: 0, written: 513))
    #expect(
      fixture.diskMachine.bytes(at: fixture.page(32) + 512, count: 512) == Array(fixture.backend.bytes.prefix(512))
    )
    #expect(fixture.diskMachine.bytes(at: fixture.page(100) + 512, count: 512).allSatisfy { $0 == 0 })
  }

  @Test func aBufferThatIsNotMappedIsRefusedAtItsFirstByteThatIsNot() throws {
    var fixture = try working()
    fixture.driver.offerEvent(0)

    fixture.readSector(at: fixture.page(34) - 700)

    #expect(fixture.diskMachine.faults == [.descriptorCrossesWindowEnd])
    #expect(fixture.driver.takeFault() == fault(2, Self.write, at: fixture.page(34)))
    #expect(fixture.driver.takeFault() == nil)
    #expect(fixture.diskMachine.transport.connection.counters.memory.refusedAccesses == 1)
    #expect(fixture.backend.calls.allSatisfy { $0 == .commit })
    // The machine goes on, the disk with it.
    #expect(fixture.enableDisk() == true)
    fixture.readSector()
    #expect(fixture.queue.takeUsed() == .init(head: 0, written: 513))
  }

  @Test func whatIsMappedForReadingIsNotWrittenAndTheReverse() throws {
    var fixture = try working()
    #expect(fixture.map(40, flags: 1) == 0)
    #expect(fixture.map(41, flags: 2) == 0)
    fixture.driver.offerEvent(0)
    fixture.driver.offerEvent(1)

    fixture.readSector(at: fixture.page(40))
    #expect(fixture.diskMachine.faults == [.descriptorReadOnly])
    #expect(fixture.driver.takeFault() == fault(2, Self.write, at: fixture.page(40) + 512))
    #expect(fixture.enableDisk() == true)
    fixture.readSector(at: fixture.page(41))
    #expect(fixture.diskMachine.faults == [.descriptorReadOnly, .descriptorWriteOnly])
    #expect(fixture.driver.takeFault() == fault(2, Self.read, at: fixture.page(41)))
    #expect(fixture.backend.calls.allSatisfy { $0 == .commit })
  }

  @Test func aDetachedDeviceFailsAndReachesNothing() throws {
    var fixture = try working()
    fixture.driver.offerEvent(0)

    #expect(fixture.detach(domain: 1, endpoint: Self.disk) == 0)

    #expect(fixture.diskMachine.faults == [.ringTakenAway])
    #expect(fixture.diskMachine.needsReset)
    #expect(fixture.driver.takeFault() == fault(1, Self.read, at: fixture.page(16)))
    fixture.readSector()
    #expect(fixture.queue.usedIndex == 0)
    #expect(fixture.backend.calls.allSatisfy { $0 == .commit })
  }

  @Test func anUnmapIsAnsweredWhenTheRequestThatUsesItIsOver() throws {
    var fixture = try working()
    fixture.backend.isDeferred = true
    fixture.readSector()
    #expect(fixture.backend.inFlight == 1)

    #expect(fixture.unmap(32, count: 2) == nil)
    // What is asked for meanwhile has to wait, too.
    fixture.readSector(4, at: fixture.page(33))
    #expect(fixture.backend.inFlight == 1)
    fixture.finishRequests()

    #expect(fixture.driver.status() == 0)
    #expect(fixture.queue.takeUsed() == .init(head: 0, written: 513))
    #expect(fixture.diskMachine.faults == [.descriptorOutsideWindow])
    #expect(fixture.iommu.counters.waits == 1)
  }

  @Test func anUnmapOfWhatNothingUsesIsAnsweredDuringIO() throws {
    var fixture = try working()
    #expect(fixture.map(50) == 0)
    fixture.backend.isDeferred = true
    fixture.readSector()
    fixture.readSector(4, at: fixture.page(33))
    #expect(fixture.backend.inFlight == 2)

    #expect(fixture.unmap(50) == 0)

    #expect(fixture.iommu.counters.waits == 0)
    #expect(fixture.backend.inFlight == 2)
    fixture.finishRequests()
    #expect(fixture.queue.usedIndex == 2)
    #expect(fixture.diskMachine.faults == [])
    // Nor does what is over use anything.
    #expect(fixture.unmap(32, count: 2) == 0)
    #expect(fixture.iommu.counters.waits == 0)
  }

  @Test func requestsBehindOneThatWaitsAreServedAfterItInOrder() throws {
    var fixture = try working()
    fixture.backend.isDeferred = true
    fixture.readSector()
    #expect(fixture.unmap(32, count: 2) == nil)

    // ATTACH of another device to domain 3, in descriptors of its own.
    var requests = fixture.driver.requests
    let words: [UInt8] = [1, 3, Self.other, 0, 0].flatMap { (word: UInt32) in [UInt8(word), 0, 0, 0] }
    fixture.machine.store(words, at: fixture.page(1))
    requests.writeChain(
      [.init(fixture.page(1), 20, isWritable: false), .init(fixture.page(1) + 64, 4, isWritable: true)],
      from: 4
    )
    let before = requests.usedIndex
    requests.offer(4)
    fixture.machine.driver.notify(0)
    #expect(requests.usedIndex == before)
    #expect(fixture.iommu.counters.attaches == 1)
    fixture.finishRequests()

    #expect(requests.takeUsed() == .init(head: 0, written: 4))
    #expect(requests.takeUsed() == .init(head: 4, written: 4))
    #expect(fixture.iommu.counters.attaches == 2)
  }

  @Test func aDetachIsAnsweredWhenTheDeviceIsAtRest() throws {
    var fixture = try working()
    fixture.backend.isDeferred = true
    fixture.readSector()

    #expect(fixture.detach(domain: 1, endpoint: Self.disk) == nil)
    #expect(fixture.diskMachine.faults == [.ringTakenAway])
    fixture.finishRequests()

    #expect(fixture.driver.status() == 0)
    #expect(fixture.queue.usedIndex == 0)
  }

  @Test func anAttachElsewhereIsAnsweredWhenTheDeviceHasLeft() throws {
    var fixture = try working()
    fixture.backend.isDeferred = true
    fixture.readSector()

    #expect(fixture.attach(domain: 2, endpoint: Self.disk) == nil)
    fixture.finishRequests()

    #expect(fixture.driver.status() == 0)
  }

  @Test func aResetIsOverWhenTheDevicesAreAtRest() throws {
    var fixture = try working()
    fixture.backend.isDeferred = true
    fixture.readSector()
    #expect(fixture.unmap(32, count: 2) == nil)
    let inFlight = Box(0)
    let (backend, block) = (fixture.backend, fixture.block)
    fixture.thread.whileWaiting = {
      inFlight.value = max(inFlight.value, backend.inFlight)
      backend.finishAll()
      _ = block.backendReady()
    }

    fixture.machine.driver.reset()

    #expect(inFlight.value == 1)
    #expect(fixture.backend.inFlight == 0)
    #expect(fixture.iommu.mappings == 0)
    #expect(fixture.driver.status() == nil)
    #expect(fixture.driver.start() == true)
    #expect(fixture.attach(domain: 1, endpoint: Self.disk) == 0)
  }

  @Test func aQueueThatIsResetIsNotAnsweredAnyLonger() throws {
    var fixture = try working()
    fixture.backend.isDeferred = true
    fixture.readSector()
    #expect(fixture.unmap(32, count: 2) == nil)

    fixture.machine.driver.write(0, to: Register.queueSel)
    fixture.machine.driver.write(0, to: Register.queueReady)
    fixture.finishRequests()

    #expect(fixture.driver.status() == nil)
    #expect(fixture.machine.faults == [])
  }

  @Test func aSuspensionIsOverWhenTheRequestThatWaitsIs() throws {
    var fixture = try working()
    fixture.backend.isDeferred = true
    fixture.readSector()
    #expect(fixture.unmap(32, count: 2) == nil)
    let isSuspended = Box(false)

    fixture.machine.transport.beginSuspension { isSuspended.value = true }
    #expect(!isSuspended.value)
    fixture.finishRequests()

    #expect(isSuspended.value)
    #expect(fixture.driver.status() == 0)
    #expect(fixture.map(60) == nil)
    fixture.machine.transport.endSuspension()
    #expect(fixture.driver.status() == 0)
  }

  @Test func devicesOfADomainShareItsMappingsAndAnUnmapWaitsForEach() throws {
    var fixture = try working()
    #expect(fixture.attach(domain: 1, endpoint: Self.other) == 0)
    #expect(fixture.map(48) == 0)
    let queue = DriverQueue(fixture.otherMachine, index: 0, size: 16, at: fixture.page(48))
    #expect(fixture.otherMachine.driver.negotiate(Feature.version1 | Feature.accessPlatform))
    #expect(fixture.otherMachine.driver.enable(queue))
    fixture.otherMachine.driver.start()
    fixture.backend.isDeferred = true
    fixture.readSector()

    #expect(fixture.unmap(48) == 0)

    #expect(fixture.otherMachine.faults == [.ringTakenAway])
    #expect(fixture.diskMachine.faults == [])
    #expect(fixture.unmap(32, count: 2) == nil)
    fixture.finishRequests()
    #expect(fixture.driver.status() == 0)
  }

  @Test func faultsWaitForTheDriverUpToALimitAndAreCountedBeyondIt() throws {
    var fixture = try working()
    // A device reports what it can without a buffer, and the rest is counted.
    for _ in 0..<IOMMUDevice.faultLimit + 10 {
      fixture.readSector(at: fixture.page(99))
      #expect(fixture.enableDisk() == true)
    }

    var told = 0
    for number in 0..<UInt16(100) {
      fixture.driver.offerEvent(number % 16)
      if fixture.driver.takeFault() == fault(2, Self.read, at: fixture.page(99)) { told += 1 }
    }

    #expect(told == IOMMUDevice.faultLimit)
    #expect(fixture.iommu.counters.faults == UInt64(IOMMUDevice.faultLimit) + 10)
    #expect(fixture.iommu.counters.lostFaults == 10)
    #expect(fixture.machine.faults == [])
  }

  @Test func aBufferTooSmallForAnEventFailsTheIOMMUAndNothingElse() throws {
    var fixture = try working()
    fixture.readSector(at: fixture.page(99))
    var events = fixture.driver.events
    events.writeDescriptor(0, fixture.page(1), 23, flags: DriverQueue<TranslatedMachine>.writeFlag)

    events.offer(0)
    fixture.machine.driver.notify(1)

    #expect(fixture.machine.faults == [.writableMissing])
    #expect(fixture.enableDisk() == true)
    fixture.readSector()
    #expect(fixture.queue.takeUsed() == .init(head: 0, written: 513))
  }

  // MARK: State

  @Test func aStateThatWasTakenIsPutBackAndTheDeviceBehindItGoesOn() throws {
    var fixture = try working()
    fixture.readSector(at: fixture.page(99))
    fixture.machine.transport.suspend()
    let saved = try #require(fixture.device.savedState() as? IOMMUDeviceState)
    let data = try JSONEncoder().encode(saved)
    let other = try IOMMUFixture()
    let device = IOMMUDevice(name: "iommu", iommu: other.iommu)

    try device.restore(JSONDecoder().decode(IOMMUDeviceState.self, from: data))

    #expect(saved.domains.map(\.number) == [1])
    #expect(saved.faults == [IOMMUFault(reason: .mapping, flags: 0x101, endpoint: 7, address: fixture.page(99))])
    #expect(device.savedState() as? IOMMUDeviceState == saved)
    #expect(other.iommu.mappings == 2)
    var going = other
    #expect(going.enableDisk() == true)
    going.readSector()
    #expect(going.queue.takeUsed() == .init(head: 0, written: 513))
  }

  /// A state that the IOMMU of 256 pages of RAM can have, and changes after which it cannot.
  private static let impossible: [(field: String, change: @Sendable (inout IOMMUDeviceState) -> Void)] = [
    ("domains", { $0.domains[0].endpoints = [] }), ("domains", { $0.domains.append($0.domains[0]) }),
    ("endpoints", { $0.domains[0].endpoints = [8] }), ("endpoints", { $0.domains[0].endpoints = [7, 7] }),
    ("endpoints", { $0.domains[0].number = 0x1_0000 }), ("mappings", { $0.domains[0].mappings[0].flags = 4 }),
    ("mappings", { $0.domains[0].mappings[0].last += 1 }), ("mappings", { $0.domains[0].mappings[0].target = 0 }),
    ("mappings", { $0.domains[0].mappings.append($0.domains[0].mappings[0]) }),
    ("faults", { $0.faults = Array(repeating: $0.faults[0], count: 65) }),
  ]

  @Test(arguments: impossible.indices)
  func aStateThatItCannotHaveIsRefused(index: Int) throws {
    let fixture = try IOMMUFixture()
    let page = fixture.page(0)
    var state = IOMMUDeviceState(
      domains: [
        .init(number: 1, endpoints: [7], mappings: [.init(start: page, last: page + 0xFFF, target: page, flags: 3)])
      ],
      faults: [IOMMUFault(reason: .domain, flags: 0x101, endpoint: 7, address: page)]
    )
    try IOMMUFixture().device.restore(state)
    let (field, change) = Self.impossible[index]

    change(&state)

    #expect(throws: DeviceStateError.invalid(device: "iommu", field: field)) { try fixture.device.restore(state) }
    #expect(fixture.iommu.mappings == 0)
  }

  private final class Box<Value>: @unchecked Sendable {
    // SAFETY: @unchecked: used on one thread.
    var value: Value

    init(_ value: Value) { self.value = value }
  }
}
