import GuestMemory
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@Suite struct NetworkDeviceTests {
  static let mac: [UInt8] = [0x52, 0x54, 0, 1, 2, 3]
  static let mergeable: UInt64 = 1 << 15
  static let packet = (0..<100).map { UInt8($0) }

  private func device(_ backend: MemoryNetwork, mtu: UInt16 = 1500) -> NetworkDevice<MemoryNetwork> {
    NetworkDevice(name: "net", backend: backend, mac: Self.mac, mtu: mtu)
  }

  @Test func configurationSpaceDescribesTheCard() throws {
    let fixture = try DeviceFixture(device(MemoryNetwork(), mtu: 9000))
    let bytes = (0..<6).map { UInt8(fixture.machine.readRegister(Register.configuration + $0, width: 1)) }

    #expect(bytes == Self.mac)
    #expect(fixture.machine.readRegister(Register.configuration + 6, width: 2) == 1)
    #expect(fixture.machine.readRegister(Register.configuration + 10, width: 2) == 9000)
    #expect(fixture.machine.readRegister(Register.configuration + 12, width: 4) == 10_000)
    #expect(fixture.machine.readRegister(Register.configuration + 16, width: 1) == 1)
  }

  @Test func packetIsSentWithoutTheHeader() throws {
    let backend = MemoryNetwork()
    var fixture = try DeviceFixture(device(backend))
    fixture.machine.store([UInt8](repeating: 0, count: 12) + Self.packet, at: fixture.scratch)

    fixture.request(
      [.init(fixture.scratch, 12, isWritable: false), .init(fixture.scratch + 12, 100, isWritable: false)],
      to: 1
    )

    #expect(backend.sent == [Self.packet])
    #expect(backend.commits == 1)
    #expect(fixture.queues[1].takeUsed() == .init(head: 0, written: 0))
  }

  @Test func packetIsSentWithItsHeaderToABackendThatHasOne() throws {
    let backend = MemoryNetwork(hasHeader: true, offloads: [.checksum])
    var fixture = try DeviceFixture(device(backend))
    let bytes = [UInt8](repeating: 9, count: 12) + Self.packet
    fixture.machine.store(bytes, at: fixture.scratch)

    fixture.request([.init(fixture.scratch, 112, isWritable: false)], to: 1)

    #expect(backend.sent == [bytes])
  }

  @Test func fullBackendKeepsThePacketInTheRing() throws {
    let backend = MemoryNetwork()
    backend.room = 1
    let device = device(backend)
    var fixture = try DeviceFixture(device)

    fixture.offer([.init(fixture.scratch, 112, isWritable: false)], to: 1, head: 0)
    fixture.request([.init(fixture.scratch, 62, isWritable: false)], to: 1, head: 1)
    #expect(fixture.queues[1].usedIndex == 1)
    backend.room = 1
    _ = device.backendWritable()

    #expect(fixture.queues[1].usedIndex == 2)
    #expect(backend.sent.map(\.count) == [100, 50])
    #expect(fixture.machine.transport.connection.counters.memory.bytesRead == 112 + 62)
  }

  @Test(
    arguments: [(11, false, DriverFault.headerIncomplete), (40, true, .writableUnexpected)]
      as [(UInt32, Bool, DriverFault)]
  )
  func badTransmissionIsAFault(length: UInt32, isWritable: Bool, fault: DriverFault) throws {
    var fixture = try DeviceFixture(device(MemoryNetwork()))

    fixture.request([.init(fixture.scratch, length, isWritable: isWritable)], to: 1)

    #expect(fixture.machine.faults == [fault])
  }

  @Test(arguments: [12, 12 + 65535 + 19] as [UInt32])
  func packetThatIsNoneIsLost(length: UInt32) throws {
    let backend = MemoryNetwork()
    var fixture = try DeviceFixture(device(backend))

    fixture.request([.init(fixture.scratch, length, isWritable: false)], to: 1)

    #expect(backend.sent == [])
    #expect(fixture.queues[1].usedIndex == 1)
  }

  @Test func packetIsReceivedBehindAnEmptyHeader() throws {
    let backend = MemoryNetwork()
    let device = device(backend)
    var fixture = try DeviceFixture(device)
    fixture.machine.store([UInt8](repeating: 0xFF, count: 200), at: fixture.scratch)
    fixture.offer([.init(fixture.scratch, 1600, isWritable: true)], to: 0)
    backend.incoming = [Self.packet]

    _ = device.backendReadable()

    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 112))
    #expect(fixture.machine.bytes(at: fixture.scratch, count: 12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0])
    #expect(fixture.machine.bytes(at: fixture.scratch + 12, count: 100) == Self.packet)
    #expect(fixture.machine.line.count == 1)
  }

  @Test func largePacketIsSpreadOverMergedBuffersAndTheRestStays() throws {
    let backend = MemoryNetwork()
    let device = device(backend)
    var fixture = try DeviceFixture(device)
    for head in 0..<4 {
      fixture.offer(
        [.init(fixture.scratch + 64 * UInt64(head), 50, isWritable: true)],
        to: 0,
        head: UInt16(head)
      )
    }
    backend.incoming = [Self.packet]

    _ = device.backendReadable()

    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 50))
    #expect(fixture.queues[0].takeUsed() == .init(head: 1, written: 50))
    #expect(fixture.queues[0].takeUsed() == .init(head: 2, written: 12))
    #expect(fixture.queues[0].takeUsed() == nil)
    #expect(fixture.machine.load16(fixture.scratch + 10) == 3)
    #expect(fixture.machine.bytes(at: fixture.scratch + 12, count: 38) == Array(Self.packet[..<38]))
    #expect(fixture.machine.bytes(at: fixture.scratch + 128, count: 12) == Array(Self.packet[88...]))
  }

  @Test func headerMayBeSplitOverBuffers() throws {
    let backend = MemoryNetwork()
    let device = device(backend)
    var fixture = try DeviceFixture(device)
    fixture.offer(
      [.init(fixture.scratch, 11, isWritable: true), .init(fixture.scratch + 64, 101, isWritable: true)],
      to: 0
    )
    backend.incoming = [Self.packet]

    _ = device.backendReadable()

    #expect(fixture.machine.load8(fixture.scratch + 10) == 1)
    #expect(fixture.machine.bytes(at: fixture.scratch + 64, count: 101) == [0] + Self.packet)
  }

  @Test func packetWaitsForBuffersThatAreEnough() throws {
    let backend = MemoryNetwork()
    let device = device(backend)
    var fixture = try DeviceFixture(device)
    backend.incoming = [Self.packet]
    fixture.offer([.init(fixture.scratch, 60, isWritable: true)], to: 0, head: 0)

    _ = device.backendReadable()
    #expect(fixture.queues[0].usedIndex == 0)
    fixture.request([.init(fixture.scratch + 64, 60, isWritable: true)], to: 0, head: 1)

    #expect(fixture.queues[0].usedIndex == 2)
    #expect(backend.incoming == [])
  }

  @Test func waitingForEnoughBuffersCostsNoTurns() throws {
    let backend = MemoryNetwork()
    let device = device(backend)
    var fixture = try DeviceFixture(device)
    backend.incoming = [Self.packet]
    fixture.offer([.init(fixture.scratch, 60, isWritable: true)], to: 0, head: 0)

    let isMoreToDo = device.backendReadable()

    #expect(!isMoreToDo)
    #expect(fixture.queues[0].availableEvent == 1)
  }

  @Test func packetThatCannotFitABufferWithoutMergingIsLost() throws {
    let backend = MemoryNetwork()
    let device = device(backend)
    var fixture = try DeviceFixture(device, features: 0)
    for head in 0..<4 { fixture.offer([.init(fixture.scratch, 60, isWritable: true)], to: 0, head: UInt16(head)) }
    backend.incoming = [Self.packet, Array(Self.packet[..<40])]

    _ = device.backendReadable()

    #expect(backend.dropped == 1)
    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 52))
    #expect(fixture.queues[0].takeUsed() == nil)
  }

  @Test func packetLargerThanTheMTUIsLost() throws {
    let backend = MemoryNetwork()
    let device = device(backend, mtu: 80)
    var fixture = try DeviceFixture(device)
    fixture.offer([.init(fixture.scratch, 1600, isWritable: true)], to: 0)
    backend.incoming = [Self.packet]

    _ = device.backendReadable()

    #expect(backend.dropped == 1)
    #expect(fixture.queues[0].usedIndex == 0)
  }

  @Test func packetLargerThanTheMTUIsLostAlsoWithAHeader() throws {
    let backend = MemoryNetwork(hasHeader: true, offloads: [.checksum])
    let device = device(backend, mtu: 80)
    var fixture = try DeviceFixture(device)
    fixture.offer([.init(fixture.scratch, 1600, isWritable: true)], to: 0)
    let largest = [UInt8](repeating: 1, count: 12 + 98)
    backend.incoming = [largest + [1], largest]

    _ = device.backendReadable()

    #expect(backend.dropped == 1)
    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 110))
  }

  @Test func readableReceiveBufferIsAFault() throws {
    let backend = MemoryNetwork()
    let device = device(backend)
    var fixture = try DeviceFixture(device)
    backend.incoming = [Self.packet]

    fixture.request([.init(fixture.scratch, 1600, isWritable: false)], to: 0)

    #expect(fixture.machine.faults == [.readableUnexpected])
  }

  @Test func linkThatIsDownIsShownAndPassesNothing() throws {
    let backend = MemoryNetwork()
    let device = device(backend)
    var fixture = try DeviceFixture(device)
    backend.incoming = [Self.packet]
    fixture.offer([.init(fixture.scratch, 1600, isWritable: true)], to: 0)

    device.setLink(isUp: false)
    _ = device.backendReadable()
    fixture.request([.init(fixture.scratch, 112, isWritable: false)], to: 1)

    #expect(fixture.machine.readRegister(Register.configuration + 6, width: 2) == 0)
    #expect(fixture.driver.interruptStatus & 2 != 0)
    #expect(backend.sent == [])
    #expect(backend.dropped == 1)
    #expect(fixture.queues[1].usedIndex == 1)
  }

  @Test func offloadsAreThoseThatBothSidesHave() throws {
    let backend = MemoryNetwork(hasHeader: true, offloads: [.checksum, .tcpSegmentation4])
    let fixture = try DeviceFixture(device(backend))
    let expected: UInt64 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 7 | 1 << 11

    #expect(fixture.driver.offeredFeatures & (0x7FFF & ~(1 << 3 | 1 << 5)) == expected)
    #expect(backend.accepted.last == [.checksum, .tcpSegmentation4])
  }

  @Test func checksumsAreLeftOutWhereNobodyLooksAtThem() throws {
    let backend = MemoryNetwork(ignoresChecksums: true)
    var fixture = try DeviceFixture(device(backend))
    // NEEDS_CSUM, and where it would go.
    fixture.machine.store([1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0] + Self.packet, at: fixture.scratch)

    fixture.request([.init(fixture.scratch, 112, isWritable: false)], to: 1)

    #expect(fixture.driver.offeredFeatures & 0b111 == 0b001)
    #expect(backend.sent == [Self.packet])
  }

  @Test(arguments: [7, 8, 9, 11, 12, 13, 18, 21, 23, 54, 55, 56])
  func featureWithoutWhatItRequiresGetsNoFeaturesOK(bit: Int) throws {
    let backend = MemoryNetwork(
      hasHeader: true,
      offloads: [.checksum, .tcpSegmentation4, .tcpSegmentation6, .tcpECN, .udpSegmentation]
    )
    let machine = try TestMachine(device(backend))

    let agreed = machine.driver.negotiate(Feature.version1 | Feature.accessPlatform | 1 << UInt64(bit))

    #expect(!agreed)
    #expect(machine.faults == [.featureDependency])
  }

  private func control(_ fixture: inout DeviceFixture, _ bytes: [UInt8]) -> UInt8 {
    fixture.machine.store(bytes, at: fixture.scratch)
    fixture.request(
      [
        .init(fixture.scratch, UInt32(bytes.count), isWritable: false),
        .init(fixture.scratch + 0x100, 1, isWritable: true),
      ],
      to: 2
    )
    return fixture.machine.load8(fixture.scratch + 0x100)
  }

  @Test(
    arguments: [
      ([0, 0, 1], 0), ([0, 1, 0], 0), ([0, 6, 0], 1), ([0, 0], 1), ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0),
      ([1, 0, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0], 0), ([1, 0, 255, 255, 255, 255, 0, 0, 0, 0], 1),
      ([1, 0, 0, 0, 0, 0], 1), ([1, 1, 2, 0, 0, 0, 0, 1], 0), ([1, 1, 1, 0, 0, 0, 0, 1], 1), ([1, 1, 2], 1),
      ([2, 0, 1, 0], 1), ([4, 0, 1, 0], 1), ([9, 9], 1), ([5, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1),
    ] as [([UInt8], UInt8)]
  )
  func controlCommandIsAnswered(bytes: [UInt8], answer: UInt8) throws {
    var fixture = try DeviceFixture(device(MemoryNetwork()))

    #expect(control(&fixture, bytes) == answer)
    #expect(fixture.queues[2].takeUsed()?.written == 1)
  }

  @Test func addressThatTheGuestSetsIsShownUntilReset() throws {
    var fixture = try DeviceFixture(device(MemoryNetwork()))

    #expect(control(&fixture, [1, 1, 2, 0, 0, 0, 0, 1]) == 0)

    #expect(fixture.machine.readRegister(Register.configuration + 5, width: 1) == 1)
    fixture.driver.reset()
    #expect(fixture.machine.readRegister(Register.configuration + 5, width: 1) == 3)
  }

  @Test func guestOffloadsAreSwitchedWhileRunning() throws {
    let backend = MemoryNetwork(hasHeader: true, offloads: [.checksum, .tcpSegmentation4])
    var fixture = try DeviceFixture(device(backend))

    #expect(control(&fixture, [5, 0, 2, 0, 0, 0, 0, 0, 0, 0]) == 0)
    #expect(control(&fixture, [5, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]) == 1)

    #expect(backend.accepted.last == [.checksum])
  }

  @Test func announcementIsAskedForAndAcknowledged() throws {
    let device = device(MemoryNetwork())
    var fixture = try DeviceFixture(device)

    device.announce()
    #expect(fixture.machine.readRegister(Register.configuration + 6, width: 2) == 3)
    #expect(control(&fixture, [3, 0]) == 0)

    #expect(fixture.machine.readRegister(Register.configuration + 6, width: 2) == 1)
  }

  @Test(
    arguments: [([1], true, DriverFault.headerIncomplete), ([1, 1], false, .writableMissing)]
      as [([UInt8], Bool, DriverFault)]
  )
  func controlCommandWithoutItsPartsIsAFault(bytes: [UInt8], hasAnswer: Bool, fault: DriverFault) throws {
    var fixture = try DeviceFixture(device(MemoryNetwork()))
    fixture.machine.store(bytes, at: fixture.scratch)

    fixture.request(
      [.init(fixture.scratch, UInt32(bytes.count), isWritable: false)]
        + (hasAnswer ? [.init(fixture.scratch + 0x100, 1, isWritable: true)] : []),
      to: 2
    )

    #expect(fixture.machine.faults == [fault])
  }
}
