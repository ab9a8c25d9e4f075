import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@Suite struct ConsoleDeviceTests {
  let first = MemoryPort()
  let second = MemoryPort()
  let device: ConsoleDevice<MemoryPort>

  init() {
    device = ConsoleDevice(
      name: "console",
      ports: [
        (ConsolePortDescription(isConsole: true), first),
        (ConsolePortDescription(name: "virtme.ret", isConnected: false), second),
      ]
    )
  }

  private func control(_ fixture: inout DeviceFixture, port: UInt32, event: UInt16, value: UInt16, head: UInt16 = 0) {
    fixture.machine.store32(port, at: fixture.scratch)
    fixture.machine.store16(event, at: fixture.scratch + 4)
    fixture.machine.store16(value, at: fixture.scratch + 6)
    fixture.request([.init(fixture.scratch, 8, isWritable: false)], to: 3, head: head)
  }

  /// Makes `count` buffers of 64 bytes available in the control receive queue.
  private func offerControlBuffers(_ fixture: inout DeviceFixture, _ count: Int) {
    for head in 0..<UInt16(count) {
      fixture.offer([.init(fixture.scratch + 0x1000 + 64 * UInt64(head), 64, isWritable: true)], to: 2, head: head)
    }
  }

  /// The next message: port, event, value and what follows.
  private func message(_ fixture: inout DeviceFixture) -> (UInt32, UInt16, UInt16, String)? {
    guard let used = fixture.queues[2].takeUsed() else { return nil }
    let at = fixture.scratch + 0x1000 + 64 * UInt64(used.head)
    let text = fixture.machine.bytes(at: at + 8, count: Int(used.written) - 8)
    return (
      fixture.machine.load32(at), fixture.machine.load16(at + 4), fixture.machine.load16(at + 6),
      String(decoding: text, as: UTF8.self)
    )
  }

  @Test func configurationSpaceHasSizeAndPorts() throws {
    let fixture = try DeviceFixture(device)

    #expect(fixture.machine.readRegister(Register.configuration, width: 2) == 80)
    #expect(fixture.machine.readRegister(Register.configuration + 2, width: 2) == 24)
    #expect(fixture.machine.readRegister(Register.configuration + 4, width: 4) == 2)
    #expect(fixture.queues.count == 6)
  }

  @Test func driverThatIsReadyHearsOfEveryPort() throws {
    var fixture = try DeviceFixture(device)
    offerControlBuffers(&fixture, 8)

    control(&fixture, port: 0xFFFF_FFFF, event: 0, value: 1)

    #expect(try #require(message(&fixture)) == (0, 1, 1, ""))
    #expect(try #require(message(&fixture)) == (1, 1, 1, ""))
    #expect(message(&fixture) == nil)
  }

  @Test func portThatIsReadyGetsWhatItIs() throws {
    var fixture = try DeviceFixture(device)
    offerControlBuffers(&fixture, 8)
    control(&fixture, port: 0xFFFF_FFFF, event: 0, value: 1)
    _ = message(&fixture)
    _ = message(&fixture)

    control(&fixture, port: 0, event: 3, value: 1, head: 1)
    #expect(try #require(message(&fixture)) == (0, 4, 1, ""))
    #expect(try #require(message(&fixture)) == (0, 6, 1, ""))
    control(&fixture, port: 1, event: 3, value: 1, head: 2)
    #expect(try #require(message(&fixture)) == (1, 7, 1, "virtme.ret"))
    #expect(message(&fixture) == nil)
    device.portChanged(1, isConnected: true)
    #expect(try #require(message(&fixture)) == (1, 6, 1, ""))
    device.portChanged(1, isConnected: false)
    #expect(try #require(message(&fixture)) == (1, 6, 0, ""))
  }

  @Test func sizeThatIsKnownIsToldInTheSpecificationsOrderAndAgainWhenItChanges() throws {
    var fixture = try DeviceFixture(device)
    device.resize(columns: 120, rows: 50)
    offerControlBuffers(&fixture, 8)
    control(&fixture, port: 0xFFFF_FFFF, event: 0, value: 1)
    _ = message(&fixture)
    _ = message(&fixture)
    control(&fixture, port: 0, event: 3, value: 1, head: 1)

    #expect(try #require(message(&fixture)) == (0, 4, 1, ""))
    let (port, event, _, size) = try #require(message(&fixture))
    device.resize(columns: 100, rows: 30)
    _ = message(&fixture)
    let (_, again, _, changed) = try #require(message(&fixture))

    #expect((port, event) == (0, 5))
    #expect(Array(size.utf8) == [120, 0, 50, 0])
    #expect(again == 5)
    #expect(Array(changed.utf8) == [100, 0, 30, 0])
    #expect(fixture.machine.readRegister(Register.configuration, width: 2) == 100)
    #expect(fixture.machine.readRegister(Register.configuration + 2, width: 2) == 30)
  }

  @Test func outputThatIsInTheRingAtAResetIsTakenFirst() throws {
    var fixture = try DeviceFixture(device)
    second.room = 0
    fixture.machine.store(Array("last words".utf8), at: fixture.scratch)
    fixture.request([.init(fixture.scratch, 10, isWritable: false)], to: 5)
    #expect(second.taken.isEmpty)
    second.room = 100

    fixture.driver.reset()

    #expect(second.taken == Array("last words".utf8))
  }

  @Test func messagesWaitForBuffers() throws {
    var fixture = try DeviceFixture(device)

    control(&fixture, port: 0xFFFF_FFFF, event: 0, value: 1)
    #expect(fixture.queues[2].usedIndex == 0)
    offerControlBuffers(&fixture, 1)
    fixture.driver.notify(2)

    #expect(try #require(message(&fixture)) == (0, 1, 1, ""))
    #expect(message(&fixture) == nil)
  }

  @Test func openedAndClosedPortsAreToldOnceEach() throws {
    var fixture = try DeviceFixture(device)
    control(&fixture, port: 0xFFFF_FFFF, event: 0, value: 1)

    control(&fixture, port: 1, event: 6, value: 1, head: 1)
    control(&fixture, port: 1, event: 6, value: 1, head: 2)
    fixture.driver.reset()

    #expect(second.openings == [true, false])
    #expect(first.openings == [])
  }

  @Test(arguments: [(2, 3), (0xFFFF_FFFF, 6), (0, 99), (1, 5)] as [(UInt32, UInt16)])
  func nonsenseOnTheControlQueueSaysNothing(port: UInt32, event: UInt16) throws {
    var fixture = try DeviceFixture(device)
    offerControlBuffers(&fixture, 4)

    control(&fixture, port: port, event: event, value: 1)

    #expect(fixture.queues[3].usedIndex == 1)
    #expect(fixture.queues[2].usedIndex == 0)
    #expect(fixture.machine.faults == [])
  }

  @Test func controlMessageThatIsTooShortIsAFault() throws {
    var fixture = try DeviceFixture(device)

    fixture.request([.init(fixture.scratch, 7, isWritable: false)], to: 3)

    #expect(fixture.machine.faults == [.headerIncomplete])
  }

  @Test func outputReachesThePortInOrder() throws {
    var fixture = try DeviceFixture(device)
    fixture.machine.store(Array("hello".utf8), at: fixture.scratch)
    fixture.machine.store(Array("world".utf8), at: fixture.scratch + 0x100)

    fixture.offer(
      [.init(fixture.scratch, 3, isWritable: false), .init(fixture.scratch + 3, 2, isWritable: false)],
      to: 1
    )
    fixture.request([.init(fixture.scratch + 0x100, 5, isWritable: false)], to: 1, head: 2)

    #expect(String(decoding: first.taken, as: UTF8.self) == "helloworld")
    #expect(fixture.queues[1].takeUsed() == .init(head: 0, written: 0))
    #expect(fixture.queues[1].takeUsed() == .init(head: 2, written: 0))
  }

  @Test func portThatTakesNothingStallsItsOwnQueueOnlyAndLosesNothing() throws {
    var fixture = try DeviceFixture(device)
    fixture.machine.store(Array("hello".utf8), at: fixture.scratch)
    first.room = 2

    fixture.request([.init(fixture.scratch, 5, isWritable: false)], to: 1)
    fixture.request([.init(fixture.scratch, 5, isWritable: false)], to: 5)
    #expect(first.taken.count == 2)
    #expect(fixture.queues[1].usedIndex == 0)
    #expect(second.taken.count == 5)
    first.room = 100
    _ = device.portWritable(0)

    #expect(String(decoding: first.taken, as: UTF8.self) == "hello")
    #expect(fixture.queues[1].usedIndex == 1)
  }

  /// A chain of 16 buffers that all lie in the same half MiB, which makes 8 MiB of it.
  private func offerLongChain(_ fixture: inout DeviceFixture, isWritable: Bool, to queue: Int) {
    let buffer = DeviceFixture.Queue.Buffer(fixture.scratch, 0x8_0000, isWritable: isWritable)
    fixture.offer(Array(repeating: buffer, count: 16), to: queue)
  }

  @Test func outputOfOneTurnIsLimitedHoweverLongTheChainIs() throws {
    var fixture = try DeviceFixture(device)
    offerLongChain(&fixture, isWritable: false, to: 1)

    let hasMore = device.kick(1)
    let takenAtFirst = first.taken.count
    var turns = 1
    repeat { turns += 1 } while turns < 1000 && device.kick(1)

    #expect(hasMore)
    #expect(takenAtFirst == 256 << 10)
    #expect(turns == 32)
    #expect(first.taken.count == 8 << 20)
    #expect(fixture.queues[1].usedIndex == 1)
  }

  @Test func outputThatAResetTakesIsLimited() throws {
    var fixture = try DeviceFixture(device)
    offerLongChain(&fixture, isWritable: false, to: 1)

    fixture.driver.reset()

    #expect(first.taken.count == 4 << 20)
  }

  @Test func inputOfOneTurnIsLimitedHoweverLongTheChainIs() throws {
    var fixture = try DeviceFixture(device)
    first.input = [UInt8](repeating: 65, count: 1 << 20)
    offerLongChain(&fixture, isWritable: true, to: 0)

    let hasMore = device.kick(0)

    #expect(hasMore)
    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 256 << 10))
    #expect(first.input.count == 768 << 10)
  }

  @Test func partlyTakenOutputSurvivesASnapshot() throws {
    var fixture = try DeviceFixture(device)
    fixture.machine.store(Array("hello".utf8), at: fixture.scratch)
    first.room = 2
    fixture.request([.init(fixture.scratch, 5, isWritable: false)], to: 1)
    fixture.machine.transport.suspend()
    let (state, own) = (try fixture.machine.transport.savedState(), try fixture.machine.transport.savedDeviceState())
    let port = MemoryPort()
    let other = try TestMachine(
      ConsoleDevice(
        name: "console",
        ports: [
          (ConsolePortDescription(isConsole: true), port), (ConsolePortDescription(name: "virtme.ret"), MemoryPort()),
        ]
      )
    )
    other.store(fixture.machine.bytes(at: fixture.machine.windowStart, count: 0x10000), at: other.windowStart)

    try other.transport.restore(state, own)
    other.transport.resume()

    #expect(String(decoding: port.taken, as: UTF8.self) == "llo")
  }

  @Test func inputFillsTheGuestsBuffersAndWaitsForMore() throws {
    var fixture = try DeviceFixture(device)
    first.input = Array("hello, world".utf8)
    fixture.offer([.init(fixture.scratch, 5, isWritable: true)], to: 0)

    _ = device.portReadable(0)
    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 5))
    #expect(first.input.count == 7)
    fixture.request([.init(fixture.scratch + 0x100, 64, isWritable: true)], to: 0, head: 1)

    #expect(fixture.queues[0].takeUsed() == .init(head: 1, written: 7))
    #expect(fixture.machine.bytes(at: fixture.scratch, count: 5) == Array("hello".utf8))
    #expect(fixture.machine.bytes(at: fixture.scratch + 0x100, count: 7) == Array(", world".utf8))
  }

  @Test func bufferStaysInTheRingWhileThereIsNoInput() throws {
    var fixture = try DeviceFixture(device)

    fixture.request([.init(fixture.scratch, 5, isWritable: true)], to: 0)
    #expect(fixture.queues[0].usedIndex == 0)
    first.input = [65]
    _ = device.portReadable(0)

    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 1))
  }

  @Test(arguments: [(0, false, DriverFault.readableUnexpected), (1, true, .writableUnexpected)])
  func bufferOfTheWrongDirectionIsAFault(queue: Int, isWritable: Bool, fault: DriverFault) throws {
    var fixture = try DeviceFixture(device)
    first.input = [65]

    fixture.request([.init(fixture.scratch, 5, isWritable: isWritable)], to: queue)

    #expect(fixture.machine.faults == [fault])
  }

  @Test func emergencyWriteReachesTheFirstPort() throws {
    let machine = try TestMachine(device)

    machine.writeRegister(Register.configuration + 8, width: 4, 0x41)

    #expect(first.taken == [0x41])
  }

  @Test func floodOfReadinessCostsNoMoreThanItsAnswers() throws {
    var fixture = try DeviceFixture(device)

    for round in 0..<500 {
      control(&fixture, port: 0xFFFF_FFFF, event: 0, value: 1, head: UInt16(round % 16))
      control(&fixture, port: 1, event: 3, value: 1, head: UInt16(round % 16))
    }
    offerControlBuffers(&fixture, 16)
    fixture.driver.notify(2)

    #expect(fixture.queues[2].usedIndex == 3)
  }
}
