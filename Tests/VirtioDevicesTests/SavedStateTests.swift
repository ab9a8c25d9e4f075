import Foundation
import GuestMemory
import SCMI
import SCMIFile
import Synchronization
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

/// States that are taken in the middle of work, written as JSON, read again and put into a device that is new.
@Suite struct SavedStateTests {
  /// What a snapshot has of one device.
  private struct Document {
    var transport: Data
    var own: Data

    init(_ machine: TestMachine) throws {
      machine.transport.suspend()
      transport = try JSONEncoder().encode(Versioned(try machine.transport.savedState()))
      own = try JSONEncoder().encode(Written(state: try machine.transport.savedDeviceState()))
    }

    func restore(into machine: TestMachine) throws {
      let decoder = JSONDecoder()
      decoder.userInfo[try #require(Read.device)] = machine.transport.device
      try machine.transport.restore(
        decoder.decode(Versioned<MMIOTransportState>.self, from: transport).state,
        decoder.decode(Read.self, from: own).state
      )
    }
  }

  private struct Written: Encodable {
    let state: any VersionedState

    func encode(to encoder: any Encoder) throws { try state.encodeVersioned(to: encoder) }
  }

  private struct Read: Decodable {
    static let device = CodingUserInfoKey(rawValue: "device")
    let state: any VersionedState

    init(from decoder: any Decoder) throws {
      let key = try #require(Self.device)
      let device = try #require(decoder.userInfo[key] as? any VirtioDevice)
      state = try device.decodeState(from: decoder)
    }
  }

  /// A new machine with `device`, whose memory is that of `machine`, and which goes on from its state.
  private func goOn(_ fixture: DeviceFixture, with device: any VirtioDevice) throws -> DeviceFixture {
    let document = try Document(fixture.machine)
    let other = try TestMachine(device, thread: ImmediateThread())
    other.store(
      fixture.machine.bytes(at: fixture.machine.windowStart, count: Int(fixture.machine.windowSize)),
      at: other.windowStart
    )
    try document.restore(into: other)
    other.transport.resume()
    return DeviceFixture(fixture, goingOnIn: other)
  }

  @Test func diskAnswersWhatWasInFlightAndTakesWhatWasWaitingOnce() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.isDeferred = true
    let device = BlockDevice(name: "disk", backend: backend)
    var fixture = try DeviceFixture(device)
    BlockDeviceTests.request(&fixture, type: 4)
    fixture.driver.notify(0)
    #expect(backend.inFlight == 1)
    fixture.thread.whileWaiting = {
      backend.finishAll()
      _ = device.backendReady()
    }
    // Offered, and not looked at.
    BlockDeviceTests.request(&fixture, type: 4, head: 4)
    let newBackend = MemoryBlock(sectors: 64)

    var other = try goOn(fixture, with: BlockDevice(name: "disk", backend: newBackend))

    #expect(other.queues[0].takeUsed() == .init(head: 0, written: 1))
    #expect(other.queues[0].takeUsed() == .init(head: 4, written: 1))
    #expect(other.queues[0].takeUsed() == nil)
    #expect(backend.calls.filter { $0 == .flush }.count == 1)
    #expect(newBackend.calls.filter { $0 == .flush }.count == 1)
    #expect(other.machine.line.count > 0)
    #expect(other.machine.faults == [])
  }

  @Test func diskKeepsItsCachesModeAndRefusesAnotherSize() throws {
    let fixture = try DeviceFixture(BlockDevice(name: "disk", backend: MemoryBlock(sectors: 64)))
    fixture.machine.writeRegister(Register.configuration + 32, width: 1, 0)
    let backend = MemoryBlock(sectors: 64)

    var other = try goOn(fixture, with: BlockDevice(name: "disk", backend: backend))
    BlockDeviceTests.request(
      &other,
      type: 1,
      data: [.init(other.scratch + 0x1000, 512, isWritable: false)]
    )
    other.driver.notify(0)

    #expect(backend.calls.first == .write(offset: 0, count: 512, isDurable: true))
    #expect(throws: DeviceStateError.invalid(device: "disk", field: "capacity")) {
      _ = try goOn(fixture, with: BlockDevice(name: "disk", backend: MemoryBlock(sectors: 32)))
    }
  }

  @Test func cardSendsThePacketThatHadNoRoomAndKeepsTheOffloadsAndTheLink() throws {
    let backend = MemoryNetwork(hasHeader: true, offloads: [.checksum, .tcpSegmentation4])
    let device = NetworkDevice(name: "net", backend: backend, mac: NetworkDeviceTests.mac)
    var fixture = try DeviceFixture(device)
    backend.room = 1
    for head: UInt16 in 0..<2 {
      let at = fixture.scratch + 0x100 * UInt64(head)
      fixture.machine.store([UInt8](repeating: UInt8(head), count: 112), at: at)
      fixture.request([.init(at, 112, isWritable: false)], to: 1, head: head)
    }
    // Checksums only, from now on.
    fixture.machine.store([5, 0, 2, 0, 0, 0, 0, 0, 0, 0], at: fixture.scratch + 0x400)
    fixture.request(
      [.init(fixture.scratch + 0x400, 10, isWritable: false), .init(fixture.scratch + 0x420, 1, isWritable: true)],
      to: 2
    )
    #expect(fixture.machine.load8(fixture.scratch + 0x420) == 0)
    device.setLink(isUp: false)
    device.setLink(isUp: true)
    let newBackend = MemoryNetwork(hasHeader: true, offloads: [.checksum, .tcpSegmentation4])

    var other = try goOn(
      fixture,
      with: NetworkDevice(name: "net", backend: newBackend, mac: NetworkDeviceTests.mac)
    )

    #expect(backend.sent == [[UInt8](repeating: 0, count: 112)])
    #expect(newBackend.sent == [[UInt8](repeating: 1, count: 112)])
    #expect(newBackend.accepted == [.checksum])
    #expect(other.queues[1].takeUsed() == .init(head: 0, written: 0))
    #expect(other.queues[1].takeUsed() == .init(head: 1, written: 0))
    #expect(other.queues[1].takeUsed() == nil)
  }

  @Test func cardWhoseLinkWasDownHearsOfOneThatIsUp() throws {
    let device = NetworkDevice(name: "net", backend: MemoryNetwork(), mac: NetworkDeviceTests.mac)
    let fixture = try DeviceFixture(device)
    device.setLink(isUp: false)
    let newDevice = NetworkDevice(name: "net", backend: MemoryNetwork(), mac: NetworkDeviceTests.mac)

    let other = try goOn(fixture, with: newDevice)
    let before = other.machine.readRegister(Register.configuration + 6, width: 2)
    newDevice.setLink(isUp: true)

    #expect(before == 0)
    #expect(other.machine.readRegister(Register.configuration + 6, width: 2) == 1)
  }

  private func console(_ ports: [MemoryPort], isConnected: Bool = true) -> ConsoleDevice<MemoryPort> {
    ConsoleDevice(
      name: "console",
      ports: ports.enumerated().map { number, port in
        (ConsolePortDescription(name: "port\(number)", isConnected: isConnected), port)
      }
    )
  }

  @Test func consoleGoesOnInTheMiddleOfAChainAndTellsPortsAndDriverWhatTheyMissed() throws {
    let ports = [MemoryPort(), MemoryPort()]
    var fixture = try DeviceFixture(console(ports))
    func control(port: UInt32, event: UInt16) {
      fixture.machine.store32(port, at: fixture.scratch)
      fixture.machine.store16(event, at: fixture.scratch + 4)
      fixture.machine.store16(1, at: fixture.scratch + 6)
      fixture.request([.init(fixture.scratch, 8, isWritable: false)], to: 3)
    }
    control(port: 0xFFFF_FFFF, event: 0)
    control(port: 1, event: 3)
    control(port: 1, event: 6)
    fixture.machine.store(Array("hello".utf8), at: fixture.scratch + 0x100)
    ports[1].room = 2
    fixture.request([.init(fixture.scratch + 0x100, 5, isWritable: false)], to: 5)
    let newPorts = [MemoryPort(), MemoryPort()]

    var other = try goOn(fixture, with: console(newPorts, isConnected: false))
    #expect(String(decoding: newPorts[1].taken, as: UTF8.self) == "llo")
    #expect(newPorts[1].openings == [true])
    #expect(newPorts[0].openings == [])

    // What was pending comes, and that nothing is connected any longer.
    for head: UInt16 in 0..<8 {
      other.offer([.init(other.scratch + 0x1000 + 64 * UInt64(head), 64, isWritable: true)], to: 2, head: head)
    }
    other.driver.notify(2)
    var messages: [[UInt16]] = []
    while let used = other.queues[2].takeUsed() {
      let at = other.scratch + 0x1000 + 64 * UInt64(used.head)
      messages.append([other.machine.load16(at), other.machine.load16(at + 4), other.machine.load16(at + 6)])
    }
    // Port, event, value.
    #expect(messages == [[0, 1, 1], [1, 1, 1], [1, 7, 1], [1, 6, 0]])
  }

  @Test func entropyDeviceFillsWhatWasLeftForLater() throws {
    var fixture = try DeviceFixture(EntropyDevice(name: "rng", source: CountingEntropy()), queueSize: 64)
    for head: UInt16 in 0..<20 { fixture.offer([.init(fixture.scratch, 1, isWritable: true)], to: 0, head: head) }
    #expect(fixture.machine.transport.kick(queue: 0))
    #expect(fixture.queues[0].usedIndex == 16)

    var other = try goOn(fixture, with: EntropyDevice(name: "rng", source: CountingEntropy()))

    #expect(other.queues[0].usedIndex == 20)
    for head in 0..<20 { #expect(other.queues[0].takeUsed() == .init(head: UInt32(head), written: 1)) }
  }

  @Test func lateReplyAndDelayedResponseComeThroughTheNewSCMIDeviceOnce() throws {
    let clock = ManualClock()
    let platform = SharedPlatform(try SCMIPlatform(Self.slowPlatform(1_000))) { clock.now }
    let ends = SCMIEnds(platform)
    var fixture = try DeviceFixture(ends.device)
    func send(_ message: SCMIMessage, head: UInt16) {
      let at = fixture.scratch + 0x100 * UInt64(head)
      fixture.machine.store(message.bytes, at: at)
      fixture.request(
        [.init(at, UInt32(message.bytes.count), isWritable: false), .init(at + 0x80, 128, isWritable: true)],
        to: 0,
        head: head
      )
    }
    // A reply that is late, and a delayed response that finds no buffer.
    send(SCMIMessage(header: MessageHeader(.base, .version, token: 5)), head: 0)
    send(SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateSet, token: 7), payload: [1, 0, 200, 0]), head: 4)
    clock.now = 1_000
    _ = ends.device.timerFired()
    #expect(fixture.queues[0].takeUsed() == .init(head: 4, written: 8))
    let timer = ManualTimer()
    let device = SCMIDevice(name: "scmi", platform: platform, agent: 0, timer: timer)

    var other = try goOn(fixture, with: device)
    other.queues[0].nextUsed = fixture.queues[0].nextUsed
    #expect(other.queues[0].takeUsed() == nil)
    #expect(timer.deadline == 5_000)
    other.request([.init(other.scratch + 0x2000, 128, isWritable: true)], to: 1)
    clock.now = 5_000
    _ = device.timerFired()

    #expect(other.queues[0].takeUsed() == .init(head: 0, written: 12))
    #expect(other.queues[0].takeUsed() == nil)
    #expect(other.machine.load32(other.scratch + 0x80) == MessageHeader(.base, .version, token: 5).rawValue)
    #expect(other.queues[1].takeUsed() == .init(head: 0, written: 20))
    #expect(other.queues[1].takeUsed() == nil)
    #expect(fixture.queues[0].takeUsed() == nil)
    #expect(other.machine.faults == [])
  }

  /// A platform whose clock takes its time, and whose first reply is late.
  private static func slowPlatform(_ latency: UInt64 = 20_000) -> PlatformDefinition {
    PlatformDefinition { platform in
      platform.clocks = [
        ClockDefinition("pll") { clock in
          clock.rates = .list([100, 200, 300])
          clock.asynchronousLatency = latency
        }
      ]
      platform.agents = [AgentDefinition("guest")]
      platform.rules = [MisbehaviourRule("rule", .late(5_000)) { $0.times = 1 }]
    }
  }

  /// A device that owes a late reply, and a delayed response later.
  private func owingFixture(_ ends: SCMIEnds) throws -> DeviceFixture {
    var fixture = try DeviceFixture(ends.device)
    for (head, message) in [
      (UInt16(0), SCMIMessage(header: MessageHeader(.base, .version, token: 5))),
      (4, SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateSet, token: 7), payload: [1, 0, 200, 0])),
    ] {
      let at = fixture.scratch + 0x100 * UInt64(head)
      fixture.machine.store(message.bytes, at: at)
      fixture.request(
        [.init(at, UInt32(message.bytes.count), isWritable: false), .init(at + 0x80, 128, isWritable: true)],
        to: 0,
        head: head
      )
    }
    fixture.offer([.init(fixture.scratch + 0x2000, 128, isWritable: true)], to: 1)
    #expect(fixture.queues[0].takeUsed() == .init(head: 4, written: 8))
    return fixture
  }

  @Test func platformThatGoesOnElsewhereRepliesAtItsTimeAndHasWhatItWasSetTo() throws {
    let clock = ManualClock()
    let platform = SharedPlatform(try SCMIPlatform(Self.slowPlatform())) { clock.now }
    clock.now = 1_000_000
    let fixture = try owingFixture(SCMIEnds(platform))
    clock.now = 1_004_000
    let saved = try JSONEncoder().encode(platform.savedState)
    let otherClock = ManualClock()
    otherClock.now = 70
    let otherPlatform = SharedPlatform(try SCMIPlatform(Self.slowPlatform())) { otherClock.now }
    let ends = SCMIEnds(otherPlatform)

    try otherPlatform.restore(JSONDecoder().decode(SharedPlatform.SavedState.self, from: saved))
    var other = try goOn(fixture, with: ends.device)
    other.queues[0].nextUsed = fixture.queues[0].nextUsed
    let time = otherPlatform.now
    let deadline = ends.timer.deadline
    otherClock.now = 1_070
    _ = ends.device.timerFired()
    let late = other.queues[0].takeUsed()
    let early = other.queues[1].takeUsed()
    otherClock.now = 16_070
    _ = ends.device.timerFired()

    #expect(time == 1_004_000 && deadline == 1_005_000)
    #expect(late == .init(head: 0, written: 12) && early == nil)
    #expect(other.queues[1].takeUsed() == .init(head: 0, written: 20))
    #expect(other.machine.faults == [])
  }

  @Test func platformRefusesAStateOfAnotherDefinitionAndStaysAsItIs() throws {
    let platform = SharedPlatform(try SCMIPlatform(Self.slowPlatform())) { 10 }
    let plain = SharedPlatform(try SCMIPlatform(PlatformDefinition { $0.agents = [AgentDefinition("guest")] })) { 20 }
    var state = platform.savedState

    #expect(throws: SCMIStateError.invalid(field: "views")) { try plain.restore(state) }
    #expect(plain.now == 20)
    state.time = 0
    let other = SharedPlatform(try SCMIPlatform(Self.slowPlatform())) { 10 }
    other.advance()
    state.platform = other.savedState.platform
    #expect(platform.problem(with: state) == .invalid(field: "time"))
  }

  @Test func commandsThatAreLateFailWhereThePlatformIsAnother() throws {
    let clock = ManualClock()
    let fixture = try owingFixture(SCMIEnds(SharedPlatform(try SCMIPlatform(Self.slowPlatform())) { clock.now }))
    let ends = SCMIEnds(SharedPlatform(try SCMIPlatform(Self.slowPlatform())) { clock.now })
    ends.device.beginElsewhere()

    var other = try goOn(fixture, with: ends.device)
    other.queues[0].nextUsed = fixture.queues[0].nextUsed

    #expect(other.queues[0].takeUsed() == .init(head: 0, written: 8))
    #expect(other.machine.load32(other.scratch + 0x80) == MessageHeader(.base, .version, token: 5).rawValue)
    #expect(other.machine.load32(other.scratch + 0x84) == UInt32(bitPattern: SCMIStatus.communicationError.rawValue))
    clock.now = 1_000_000
    _ = ends.device.timerFired()
    #expect(other.queues[1].takeUsed() == nil)
    // The platform knows that its agent hears of what is late.
    let message = SCMIMessage(header: MessageHeader(ClockProtocol.Message.rateSet, token: 9), payload: [1, 0, 300, 0])
    other.machine.store(message.bytes, at: other.scratch + 0x1000)
    other.request(
      [
        .init(other.scratch + 0x1000, UInt32(message.bytes.count), isWritable: false),
        .init(other.scratch + 0x1080, 128, isWritable: true),
      ],
      to: 0,
      head: 6
    )
    clock.now = 2_000_000
    _ = ends.device.timerFired()
    #expect(other.queues[1].takeUsed() == .init(head: 0, written: 20))
  }

  @Test func driverHearsThatAPortWentAndCameWhereItsPeerIsAnother() throws {
    let ports = [MemoryPort(), MemoryPort()]
    var fixture = try DeviceFixture(console(ports))
    fixture.machine.store([0, 0, 0, 0, 0, 0, 1, 0], at: fixture.scratch)
    fixture.request([.init(fixture.scratch, 8, isWritable: false)], to: 3)
    fixture.machine.store([1, 0, 0, 0, 3, 0, 1, 0], at: fixture.scratch + 8)
    fixture.request([.init(fixture.scratch + 8, 8, isWritable: false)], to: 3)
    for head: UInt16 in 0..<8 {
      let at = fixture.scratch + 0x1000 + 64 * UInt64(head)
      fixture.request([.init(at, 64, isWritable: true)], to: 2, head: head)
    }
    while fixture.queues[2].takeUsed() != nil {}
    let device = console([MemoryPort(), MemoryPort()])

    var other = try goOn(fixture, with: device)
    other.queues[2].nextUsed = fixture.queues[2].nextUsed
    device.portReplaced(0)
    device.portReplaced(1)

    var messages: [[UInt16]] = []
    while let used = other.queues[2].takeUsed() {
      let at = other.scratch + 0x1000 + 64 * UInt64(used.head)
      messages.append([other.machine.load16(at), other.machine.load16(at + 4), other.machine.load16(at + 6)])
    }
    // Port, event, value: only the port that the driver knows.
    #expect(messages == [[1, 6, 0], [1, 6, 1]])
  }

  @Test func deviceThatHadFailedIsFailedAndWorksAfterAReset() throws {
    var fixture = try DeviceFixture(EntropyDevice(name: "rng", source: CountingEntropy()))
    fixture.request([.init(fixture.scratch, 8, isWritable: false)], to: 0)
    let features = fixture.driver.offeredFeatures

    var other = try goOn(fixture, with: EntropyDevice(name: "rng", source: CountingEntropy()))
    #expect(other.driver.status & Status.deviceNeedsReset != 0)
    other.request([.init(other.scratch, 8, isWritable: true)], to: 0)
    #expect(other.queues[0].usedIndex == 0)

    other.queues[0] = DriverQueue(other.machine, index: 0, size: 16, at: other.machine.windowStart)
    other.start(features)
    other.request([.init(other.scratch, 8, isWritable: true)], to: 0)
    #expect(other.queues[0].takeUsed() == .init(head: 0, written: 8))
  }

  @Test func startingAnewAndGoingOnAreDifferentCalls() throws {
    let device = EchoDevice()
    let fixture = try DeviceFixture(device)
    let other = EchoDevice()

    let restored = try goOn(fixture, with: other)

    #expect(!device.isRestored)
    #expect(other.isRestored)
    #expect(other.startedWith == device.startedWith)
    #expect(restored.driver.status == fixture.driver.status)
  }

  @Test func interruptThatWasNotAcknowledgedIsRaisedAgain() throws {
    var fixture = try DeviceFixture(EntropyDevice(name: "rng", source: CountingEntropy()))
    fixture.request([.init(fixture.scratch, 8, isWritable: true)], to: 0)

    let other = try goOn(fixture, with: EntropyDevice(name: "rng", source: CountingEntropy()))

    #expect(other.driver.interruptStatus == 1)
    #expect(other.machine.line.count == 1)
  }

  // MARK: What is no such state

  @Test func stateThatTheDeviceThreadTakesAndPutsIsTheOneThatOthersGet() throws {
    var fixture = try DeviceFixture(EntropyDevice(name: "rng", source: CountingEntropy()))
    fixture.request([.init(fixture.scratch, 8, isWritable: true)], to: 0)
    let transport = fixture.machine.transport
    transport.beginSuspension {}
    let (taken, own) = transport.takeState()
    let asked = try transport.savedState()
    let other = try TestMachine(EntropyDevice(name: "rng", source: CountingEntropy()))
    let ended = Mutex(0)

    try other.transport.putState(taken, own) { ended.withLock { $0 += 1 } }
    let restored = other.transport.takeState().transport
    other.transport.endSuspension()

    #expect(taken == asked && restored == taken)
    #expect(ended.withLock { $0 } == 1)
    #expect(other.transport.acceptedFeatures == transport.acceptedFeatures)
  }

  @Test func stateThatDoesNotFitIsRefusedOnTheDeviceThreadAndHasNoEnd() throws {
    let fixture = try DeviceFixture(EchoDevice())
    fixture.machine.transport.beginSuspension {}
    let (state, _) = fixture.machine.transport.takeState()
    let other = try TestMachine(EchoDevice())
    let ended = Mutex(0)

    #expect(throws: DeviceStateError.wrongKind(expected: "echo", found: "virtio-entropy")) {
      try other.transport.putState(state, EntropyDeviceState()) { ended.withLock { $0 += 1 } }
    }
    #expect(ended.withLock { $0 } == 0)
  }

  @Test func stateOfAnUnknownVersionOrAnotherKindIsNamed() throws {
    func decode(_ text: String) throws -> Versioned<BlockDeviceState> {
      try JSONDecoder().decode(Versioned<BlockDeviceState>.self, from: Data(text.utf8))
    }

    #expect(try decode(#"{"kind":"virtio-block","version":1,"state":{"capacity":8}}"#).state.capacity == 8)
    #expect(throws: DeviceStateError.unknownVersion(kind: "virtio-block", version: 2)) {
      _ = try decode(#"{"kind":"virtio-block","version":2,"state":{"sectors":8}}"#)
    }
    #expect(throws: DeviceStateError.wrongKind(expected: "virtio-block", found: "virtio-console")) {
      _ = try decode(#"{"kind":"virtio-console","version":1,"state":{"capacity":8}}"#)
    }
    #expect(throws: DecodingError.self) { _ = try decode(#"{"kind":"virtio-block","version":1,"state":{}}"#) }
  }

  @Test func deviceRefusesTheStateOfAnother() throws {
    let fixture = try DeviceFixture(EchoDevice())
    fixture.machine.transport.suspend()
    let state = try fixture.machine.transport.savedState()
    let other = try TestMachine(EchoDevice())

    #expect(throws: DeviceStateError.wrongKind(expected: "echo", found: "virtio-entropy")) {
      try other.transport.restore(state, EntropyDeviceState())
    }
  }

  enum Damage: CaseIterable {
    case queueMissing, positionAdded, configurationTooShort, confinementMissing, unknownFeature, sizeBeyond16Bits,
      sizeZero
    case sizeNotPowerOfTwo, tableMisaligned, deviceAreaAtTheEnd, driverAreaOutside

    /// Damages the state, and tells the field that is named for it.
    func apply(to state: inout MMIOTransportState) -> String {
      switch self {
      case .queueMissing: state.queues.removeLast()
      case .positionAdded: state.connection.positions.append(nil)
      case .configurationTooShort: state.connection.configuration.removeLast()
      case .confinementMissing: state.driverFeatures = [.version1]
      case .unknownFeature: state.driverFeatures.insert(VirtioFeatures(bit: 3))
      case .sizeBeyond16Bits: state.queues[0].size = 0x10010
      case .sizeZero: state.queues[0].size = 0
      case .sizeNotPowerOfTwo: state.queues[0].size = 12
      case .tableMisaligned: state.queues[0].descriptorTable += 1
      case .deviceAreaAtTheEnd: state.queues[0].deviceArea = .max & ~3
      case .driverAreaOutside: state.queues[0].driverArea = 0
      }
      return switch self {
      case .queueMissing, .positionAdded: "number of queues"
      case .configurationTooShort: "configuration space"
      case .confinementMissing, .unknownFeature: "features"
      default: "queue 0"
      }
    }
  }

  @Test(arguments: Damage.allCases)
  func transportStateWithAWrongValueIsRefused(damage: Damage) throws {
    let fixture = try DeviceFixture(EchoDevice())
    fixture.machine.transport.suspend()
    var state = try fixture.machine.transport.savedState()
    let device = EchoDevice()
    let other = try TestMachine(device)
    let field = damage.apply(to: &state)

    #expect(throws: DeviceStateError.invalid(device: "echo", field: field)) {
      try other.transport.restore(state, EchoDevice.State())
    }
    #expect(device.startedWith == nil)
  }

  @Test func consoleRefusesAnotherNumberOfPortsAndNegativeNumbers() {
    let device = console([MemoryPort()])
    let port = ConsoleDeviceState.Port(
      isReady: true,
      isOpen: true,
      isConnected: true,
      pending: [],
      transmitted: -1
    )

    #expect(throws: DeviceStateError.invalid(device: "console", field: "ports")) {
      try device.restore(ConsoleDeviceState(isDriverReady: true, isSizeKnown: false, ports: []))
    }
    #expect(throws: DeviceStateError.invalid(device: "console", field: "ports[0].transmitted")) {
      try device.restore(ConsoleDeviceState(isDriverReady: true, isSizeKnown: false, ports: [port]))
    }
  }

  @Test(arguments: [VirtioFeatures(bit: 3), VirtioFeatures(bit: 1), VirtioFeatures(bit: 7)])
  func cardRefusesOffloadsThatItDoesNotHaveOrThatMissOthers(offloads: VirtioFeatures) {
    let backend = MemoryNetwork(hasHeader: offloads.rawValue == 1 << 7, offloads: [.checksum, .tcpSegmentation4])
    let device = NetworkDevice(name: "net", backend: backend, mac: NetworkDeviceTests.mac)

    #expect(throws: DeviceStateError.invalid(device: "net", field: "guestOffloads")) {
      try device.restore(NetworkDeviceState(guestOffloads: offloads, isLinkUp: true))
    }
  }

  @Test(
    arguments: [
      ("lateCommands", SCMIDeviceState(lastTicket: 1, lateCommands: [.init(ticket: 2, head: 0)], waitingMessages: [])),
      (
        "lateCommands", SCMIDeviceState(lastTicket: 1, lateCommands: [.init(ticket: 1, head: 128)], waitingMessages: [])
      ),
      (
        "lateCommands",
        SCMIDeviceState(
          lastTicket: 1,
          lateCommands: [.init(ticket: 1, head: 0), .init(ticket: 1, head: 1)],
          waitingMessages: []
        )
      ), ("waitingMessages", SCMIDeviceState(lastTicket: 0, lateCommands: [], waitingMessages: [[1, 2, 3]])),
      (
        "waitingMessages",
        SCMIDeviceState(
          lastTicket: 0,
          lateCommands: [],
          waitingMessages: Array(repeating: [0, 0, 0, 0], count: SCMIPlatform.maximumQueued + 1)
        )
      ),
    ] as [(String, SCMIDeviceState)]
  )
  func scmiDeviceRefusesWhatItCannotOwe(field: String, state: SCMIDeviceState) throws {
    let platform = SharedPlatform(try SCMIPlatform(PlatformDefinition { $0.agents = [AgentDefinition("guest")] })) { 0 }
    let device = SCMIEnds(platform).device

    #expect(throws: DeviceStateError.invalid(device: "scmi", field: field)) { try device.restore(state) }
  }

  private func memory(_ backend: MemoryBlocks, regionSize: UInt64 = 1 << 30) -> MemoryDevice<MemoryBlocks> {
    MemoryDevice(
      name: "memory",
      backend: backend,
      region: GuestRange(at: 4 << 30, size: regionSize),
      blockSize: 2 << 20,
      requestedSize: 64 << 20
    )
  }

  /// Blocks 1 to 3 and 5 are plugged, and a request waits for the back-end.
  private func pluggedMemory() throws -> DeviceFixture {
    let backend = MemoryBlocks()
    let device = memory(backend)
    var fixture = try DeviceFixture(device)
    for (head, blocks) in [(UInt16(0), 1..<4), (2, 5..<6), (4, 2..<3)] {
      var bytes = [UInt8](repeating: 0, count: 24)
      bytes.store(UInt16(head == 4 ? 1 : 0), at: 0)
      bytes.store(4 << 30 + UInt64(blocks.lowerBound) << 21, at: 8)
      bytes.store(UInt16(blocks.count), at: 16)
      let at = fixture.scratch + 0x100 * UInt64(head)
      fixture.machine.store(bytes, at: at)
      if head == 4 { backend.answer = .later }
      fixture.request([.init(at, 24, isWritable: false), .init(at + 32, 10, isWritable: true)], to: 0, head: head)
    }
    #expect(backend.plugged == [1, 2, 3, 5])
    return fixture
  }

  @Test func memoryHasTheSameBlocksAndAnswersWhatWaitedForItsBackend() throws {
    let fixture = try pluggedMemory()
    let backend = MemoryBlocks()
    let device = memory(backend)

    var other = try goOn(fixture, with: device)

    #expect(backend.calls == [.plug(1..<4), .plug(5..<6), .unplug(2..<3)])
    #expect(device.pluggedSize == 3 << 21)
    #expect(other.queues[0].takeUsed()?.head == 0)
    #expect(other.queues[0].takeUsed()?.head == 2)
    #expect(other.queues[0].takeUsed() == .init(head: 4, written: 10))
    #expect(other.machine.readRegister(Register.configuration + 40, width: 4) == 3 << 21)
  }

  @Test func memoryThatTheHostDoesNotGiveAndOfAnotherSizeIsRefused() throws {
    let fixture = try pluggedMemory()
    let backend = MemoryBlocks()
    backend.answer = .busy

    #expect(throws: DeviceStateError.invalid(device: "memory", field: "plugged")) {
      _ = try goOn(fixture, with: memory(backend))
    }
    #expect(throws: DeviceStateError.invalid(device: "memory", field: "regionSize")) {
      _ = try goOn(fixture, with: memory(MemoryBlocks(), regionSize: 2 << 30))
    }
  }

  /// A state that a device of 512 blocks, of which two are usable, can have, and changes after which it cannot.
  private static let impossible: [(field: String, change: @Sendable (inout MemoryDeviceState) -> Void)] = [
    ("blockSize", { $0.blockSize = 1 << 20 }), ("regionSize", { $0.regionSize = 2 << 30 }),
    ("requestedSize", { $0.requestedSize = 1 }), ("requestedSize", { $0.requestedSize = 2 << 30 }),
    ("usableSize", { $0.usableSize += 1 }), ("usableSize", { $0.usableSize = 2 << 30 }),
    ("usableSize", { $0.requestedSize = 6 << 20 }), ("plugged", { $0.plugged[0].count = 0 }),
    ("plugged", { $0.plugged[0].count = 3 }), ("plugged", { $0.plugged[0].count = .max }),
    ("plugged", { $0.plugged[0].first = .max }), ("plugged", { $0.plugged.append($0.plugged[0]) }),
  ]

  @Test(arguments: impossible.indices)
  func memoryRefusesAStateThatItCannotHave(index: Int) throws {
    let backend = MemoryBlocks()
    let device = memory(backend)
    var state = MemoryDeviceState(
      blockSize: 2 << 20,
      regionSize: 1 << 30,
      usableSize: 4 << 20,
      requestedSize: 2 << 20,
      plugged: [.init(first: 0, count: 2)]
    )
    try memory(MemoryBlocks()).restore(state)
    let (field, change) = Self.impossible[index]

    change(&state)

    #expect(throws: DeviceStateError.invalid(device: "memory", field: field)) { try device.restore(state) }
    #expect(backend.plugged.isEmpty)
  }
}
