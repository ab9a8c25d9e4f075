import Synchronization
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

  /// A back-end that can hand over what it knows.
  private func knowing(_ knowledge: [UInt8]) -> FakeBackEnd.Plan {
    FakeBackEnd.Plan(protocolFeatures: 1 | 1 << 3 | 1 << 19, knowledge: knowledge)
  }

  private func handOver(_ fixture: RemoteFixture) -> String?? {
    let answer = Mutex<String??>(nil)
    fixture.device.handOver { problem in answer.withLock { $0 = .some(problem) } }
    fixture.thread.pump { answer.withLock { $0 } != nil }
    return answer.withLock { $0 }
  }

  @Test(arguments: VhostUserMode.all) func whatABackEndKnowsGoesToTheNextOneAndBothGoOn(mode: VhostUserMode) throws {
    let knowledge = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let first = try RemoteFixture(mode, [knowing(knowledge)], hasState: true)
    first.request([1, 2])
    #expect(first.takeUsed()?.written == 2)
    first.suspend()

    let problem = handOver(first)
    let bytes = try #require(first.device.handedOver)
    let second = try RemoteFixture(mode, [knowing([])], hasState: true, starts: false)
    let answer = Mutex<String??>(nil)
    second.device.takeOver(bytes) { problem in answer.withLock { $0 = .some(problem) } }
    second.thread.pump { answer.withLock { $0 } != nil }
    try second.goOn(from: first)
    second.resume()
    first.resume()

    #expect(problem == .some(nil) && bytes == knowledge)
    #expect(answer.withLock { $0 } == .some(nil))
    #expect(second.connector.backEnds[0].learned == knowledge)
    for fixture in [first, second] {
      fixture.request([3, 4, 5], number: 1)
      #expect(fixture.takeUsed() == .init(head: 2, written: 3))
    }
    #expect(first.device.handedOver == nil)
  }

  @Test(arguments: VhostUserMode.all) func backEndForgetsItsGuestByTheDriversResetAndNotByAPause(
    mode: VhostUserMode
  ) throws {
    var plan = knowing([1])
    // VHOST_USER_PROTOCOL_F_RESET_DEVICE.
    plan.protocolFeatures |= 1 << 13
    let fixture = try RemoteFixture(mode, [plan], hasState: true)
    let (device, backEnd) = (fixture.device, fixture.connector.backEnds[0])
    func resets() -> Int { backEnd.seen.count { $0 == VhostUserRequest.resetDevice.rawValue } }

    fixture.suspend()
    _ = handOver(fixture)
    fixture.resume()
    fixture.request([3, 4])
    #expect(fixture.takeUsed()?.written == 2)
    let byPause = resets()
    // And where it was paused already.
    fixture.suspend()
    _ = handOver(fixture)
    fixture.thread.perform { finished in device.reset(finished) }

    #expect(byPause == 0)
    #expect(fixture.thread.pump { resets() == 1 })
  }

  @Test func backEndThatCannotHandOverIsNamedAndOneWithoutADriverNeedNot() throws {
    let first = try RemoteFixture(.inPlace, hasState: true)
    let second = try RemoteFixture(.inPlace, hasState: true, starts: false)
    first.suspend()
    second.suspend()

    #expect(
      handOver(first)
        == .some(
          "the back-end cannot hand over what its guest has open (virtiofsd 1.11 and later can); use one that can, or a "
            + "machine without it"
        )
    )
    #expect(handOver(second) == .some(nil))
    first.resume()
    first.request([1])
    #expect(first.takeUsed()?.written == 1)
  }

  @Test(arguments: [VhostUserRequest.setDeviceStateFD, .checkDeviceState])
  func backEndThatRefusesLeavesTheMachineAsItWas(request: VhostUserRequest) throws {
    var plan = knowing([1, 2, 3])
    plan.refusesAt = request
    let fixture = try RemoteFixture(.inPlace, [plan], hasState: true)
    fixture.suspend()

    let problem = handOver(fixture)
    fixture.resume()
    fixture.request([1])

    #expect(problem == .some("the back-end: it refused \(request)"))
    #expect(fixture.device.handedOver == nil)
    #expect(fixture.takeUsed()?.written == 1)
    #expect(fixture.connector.backEnds.count == 1)
  }
}
