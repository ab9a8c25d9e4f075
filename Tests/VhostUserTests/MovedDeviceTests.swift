import Testing
import VhostUserTesting
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@testable import VhostUser

/// Devices whose guest goes on in another machine, with another back-end.
@Suite(.timeLimit(.minutes(5))) struct MovedDeviceTests {
  @Test(arguments: modes) func requestsThatABackEndHadAreTheNextOnes(mode: VhostUserMode) throws {
    let first = try RemoteFixture(mode, [FakeBackEnd.Plan(holdsRequests: true)])
    for number in 0..<3 { first.request([UInt8(number), 7, 9], number: number) }
    first.thread.pump { first.device.state.value.queues[0].shadow.ring.open == 3 }
    let second = try RemoteFixture(mode, starts: false)

    try second.goOn(from: first)
    let early = second.takeUsed(.milliseconds(100))
    second.resume()

    #expect(early == nil)
    for number in 0..<3 {
      #expect(second.takeUsed() == .init(head: UInt32(2 * number), written: 3))
      #expect(second.answer(3, number: number) == [9, 7, UInt8(number)])
    }
    // And all that comes.
    second.request([4, 5], number: 4)
    #expect(second.takeUsed() == .init(head: 8, written: 2))
    #expect(second.machine.faults == [])
    first.connector.backEnds[0].end()
  }

  @Test(arguments: modes) func stateThatWasPutInAndNeverBegunIsTheSame(mode: VhostUserMode) throws {
    let first = try RemoteFixture(mode, [FakeBackEnd.Plan(holdsRequests: true)])
    first.request([1, 2])
    first.thread.pump { first.device.state.value.queues[0].shadow.ring.open == 1 }
    let second = try RemoteFixture(mode, starts: false)

    try second.goOn(from: first)
    let (before, after) = (first.machine.transport.takeState(), second.machine.transport.takeState())

    #expect(before.transport == after.transport)
    let (old, new) = (try VhostUserDeviceState(kindOf: before.device), try VhostUserDeviceState(kindOf: after.device))
    #expect(old == new && new.open == [[0]])
    first.connector.backEnds[0].end()
  }

  @Test func requestsOfADirectDeviceThatStoppedGoOnWhereTheyStood() throws {
    let first = try RemoteFixture(.direct)
    first.request([1, 2, 3])
    #expect(first.takeUsed() == .init(head: 0, written: 3))
    first.suspend()
    // Made available, and looked at by nobody.
    first.request([4, 5], number: 1)
    let second = try RemoteFixture(.direct, starts: false)

    try second.goOn(from: first)
    second.resume()

    #expect(second.takeUsed() == .init(head: 2, written: 2))
    #expect(second.answer(2, number: 1) == [5, 4])
  }

  @Test func driverHearsThatTheConfigurationIsAnother() throws {
    let first = try RemoteFixture(.inPlace, [.init(configuration: [1, 2, 3, 4])], configurationSize: 4)
    let second = try RemoteFixture(.inPlace, [.init(configuration: [1, 2, 3, 5])], configurationSize: 4, starts: false)

    try second.goOn(from: first)

    #expect(second.machine.readRegister(Register.configuration, width: 4) == 0x0503_0201)
    #expect(second.machine.driver.interruptStatus & 2 != 0)
  }

  @Test func stateThatNamesAChainTwiceOrNoneThatThereIsIsRefused() throws {
    let fixture = try RemoteFixture(.inPlace, starts: false)

    for open: [[UInt16]] in [[], [[1, 1]], [[64]], [[0], [1]]] {
      #expect(throws: DeviceStateError.invalid(device: "test", field: "open")) {
        try fixture.device.restore(VhostUserDeviceState(open: open))
      }
    }
  }
}
