import SCMI
import SCMIFile
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@testable import VhostUser

/// Devices of this process that see copies of requests, and whose guest goes on in another machine.
@Suite struct MovedShadowTests {
  private func shadowed(_ device: any VirtioDevice) throws -> ShadowedDevice {
    try ShadowedDevice(device, thread: ImmediateThread(), observer: nil)
  }

  /// The guest of a machine with `first` in one with `second`.
  private func move(_ fixture: DeviceFixture, _ first: ShadowedDevice, to second: ShadowedDevice) throws
    -> DeviceFixture
  {
    fixture.machine.transport.beginSuspension {}
    let (state, own) = fixture.machine.transport.takeState()
    let queues = first.queuesState
    let other = try TestMachine(second, thread: ImmediateThread())
    other.store(
      fixture.machine.bytes(at: fixture.machine.windowStart, count: Int(fixture.machine.windowSize)),
      at: other.windowStart
    )
    try second.restore(queues)
    #expect(second.queuesState == queues)
    try other.transport.putState(state, own) {}
    #expect(second.queuesState == queues)
    other.transport.endSuspension()
    return DeviceFixture(fixture, goingOnIn: other)
  }

  @Test func buffersThatACardHasNotUsedYetGetThePacketsThatComeLater() throws {
    let mac: [UInt8] = [0x52, 0x54, 0, 1, 2, 3]
    let first = try shadowed(NetworkDevice(name: "net", backend: MemoryNetwork(), mac: mac))
    var fixture = try DeviceFixture(first)
    for head: UInt16 in 0..<3 {
      fixture.request([.init(fixture.scratch + 0x1000 * UInt64(head), 0x800, isWritable: true)], to: 0, head: head)
    }
    let backend = MemoryNetwork()
    let device = NetworkDevice(name: "net", backend: backend, mac: mac)

    var other = try move(fixture, first, to: try shadowed(device))
    backend.incoming = [[UInt8](repeating: 5, count: 100), [UInt8](repeating: 6, count: 60)]
    _ = device.backendReadable()

    #expect(other.queues[0].takeUsed() == .init(head: 0, written: 112))
    #expect(other.queues[0].takeUsed() == .init(head: 1, written: 72))
    #expect(other.machine.load8(other.scratch + 12) == 5 && other.machine.load8(other.scratch + 0x1000 + 12) == 6)
    // And a buffer of its own.
    other.request([.init(other.scratch + 0x3000, 0x800, isWritable: true)], to: 0, head: 4)
    backend.incoming = [[UInt8](repeating: 7, count: 10), [UInt8](repeating: 8, count: 10)]
    _ = device.backendReadable()
    #expect(other.queues[0].takeUsed()?.head == 2)
    #expect(other.queues[0].takeUsed()?.head == 4)
    #expect(other.machine.faults == [])
  }

  @Test func lateRepliesComeToTheCommandsThatTheyAreOf() throws {
    let definition = PlatformDefinition { platform in
      platform.agents = [AgentDefinition("guest")]
      platform.rules = [MisbehaviourRule("rule", .late(5_000)) { $0.times = 3 }]
    }
    let clock = ManualClock()
    let platform = SharedPlatform(try SCMIPlatform(definition)) { clock.now }
    let first = try shadowed(SCMIEnds(platform).device)
    var fixture = try DeviceFixture(first)
    func ask(_ token: UInt16, head: UInt16) {
      let bytes = SCMIMessage(header: MessageHeader(.base, .version, token: token)).bytes
      let at = fixture.scratch + 0x100 * UInt64(head)
      fixture.machine.store(bytes, at: at)
      fixture.request(
        [.init(at, UInt32(bytes.count), isWritable: false), .init(at + 0x80, 128, isWritable: true)],
        to: 0,
        head: head
      )
    }
    for number: UInt16 in 0..<3 {
      ask(number, head: 4 - 2 * number)
      clock.now += 100
    }
    // One that is answered in between leaves a hole.
    ask(9, head: 6)
    #expect(fixture.queues[0].takeUsed()?.head == 6)
    let timer = ManualTimer()
    let device = SCMIDevice(name: "scmi", platform: platform, agent: 0, timer: timer)

    var other = try move(fixture, first, to: try shadowed(device))
    other.queues[0].nextUsed = fixture.queues[0].nextUsed
    #expect(other.queues[0].takeUsed() == nil)
    clock.now = 10_000
    _ = device.timerFired()

    for number: UInt16 in 0..<3 {
      let head = 4 - 2 * number
      #expect(other.queues[0].takeUsed() == .init(head: UInt32(head), written: 12))
      let header = MessageHeader(.base, .version, token: number).rawValue
      #expect(other.machine.load32(other.scratch + 0x100 * UInt64(head) + 0x80) == header)
    }
    #expect(other.machine.faults == [])
  }

  @Test func queuesThatThereCannotBeAreRefused() throws {
    let device = try shadowed(EchoDevice())
    let (taken, left) = (
      ShadowQueuesState.Chain(guestHead: 0, head: 0, isTaken: true),
      ShadowQueuesState.Chain(guestHead: 1, head: 1, isTaken: false)
    )
    let count = device.queueSizes.count
    let others = [[ShadowQueuesState.Chain]](repeating: [], count: count - 1)
    try device.restore(ShadowQueuesState(queues: [[taken, left]] + others))

    var beyond = left
    beyond.head = device.queueSizes[0]
    for chains in [[left, taken], [taken, taken], [beyond]] {
      #expect(throws: DeviceStateError.invalid(device: "echo", field: "queues")) {
        try device.restore(ShadowQueuesState(queues: [chains] + others))
      }
    }
    #expect(throws: DeviceStateError.invalid(device: "echo", field: "queues")) {
      try device.restore(ShadowQueuesState(queues: []))
    }
  }
}
