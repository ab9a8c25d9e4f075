import Host
import TestLimits
import Testing
import VhostUserTesting
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@testable import VhostUser

/// A back-end that works on the guest's own rings.
@Suite(.timeLimit(.minutes(5))) struct DirectDeviceTests {
  @Test func aRequestIsTakenFromTheGuestsOwnRingAndTheDriverInterrupted() throws {
    let fixture = try RemoteFixture(.direct)

    for round in 1...5 {
      fixture.request([1, 2, 3])
      #expect(fixture.takeUsed() == .init(head: 0, written: 3))
      #expect(fixture.answer(3) == [3, 2, 1])
      #expect(fixture.thread.pump { fixture.machine.line.count == round })
    }
    // It has the driver's notifications from KVM, and this process looks at no queue.
    #expect(fixture.machine.transport.connection.counters.kicks <= 1)
  }

  @Test func callsThatTellNothingNewInterruptNobody() throws {
    let fixture = try RemoteFixture(.direct)
    fixture.request([1])
    #expect(fixture.takeUsed()?.written == 1)
    #expect(fixture.thread.pump { fixture.machine.line.count == 1 })

    // Also more of them than are listened to.
    fixture.connector.backEnds[0].perform { backEnd in for _ in 0..<1000 { backEnd.call(0) } }
    fixture.thread.pump(.milliseconds(50)) { false }

    #expect(fixture.machine.line.count == 1)
    fixture.request([2, 3])
    #expect(fixture.takeUsed()?.written == 2)
    #expect(fixture.thread.pump { fixture.machine.line.count == 2 })
  }

  @Test func aSuspensionLeavesTheQueueWhereTheBackEndStandsAndItGoesOnFromThere() throws {
    let fixture = try RemoteFixture(.direct)
    for _ in 0..<3 {
      fixture.request([1])
      #expect(fixture.takeUsed()?.written == 1)
    }

    fixture.suspend()

    #expect(fixture.device.queuePositions == [QueuePosition(nextAvailable: 3, nextUsed: 3)])
    fixture.resume()
    fixture.request([4, 5])
    #expect(fixture.takeUsed()?.written == 2)
    let bases = fixture.connector.backEnds[0].heard.filter { $0.request == VhostUserRequest.setVringBase.rawValue }
    #expect(bases.map(\.value) == [0, 3 << 32])
  }

  @Test(arguments: [FakeBackEnd.AtStop.answers, .answersLater])
  func theDriverIsInterruptedForWhatCameBackWhileTheDeviceWasStopped(atStop: FakeBackEnd.AtStop) throws {
    let fixture = try RemoteFixture(.direct, [FakeBackEnd.Plan(holdsRequests: true, atStop: atStop)])
    fixture.request([1, 2, 3])
    fixture.thread.pump(.milliseconds(20)) { false }

    fixture.suspend()

    // It has come to rest: what it had taken is back.
    #expect(fixture.queue.takeUsed() == .init(head: 0, written: 3))
    fixture.resume()
    #expect(fixture.thread.pump { fixture.machine.line.count == 1 })
  }

  @Test func case16AResetEndsWhenWhatTheBackEndHasTakenIsBack() throws {
    let fixture = try RemoteFixture(.direct, [FakeBackEnd.Plan(holdsRequests: true, atStop: .answersLater)])
    fixture.request([1, 2, 3])
    fixture.thread.pump(.milliseconds(20)) { false }

    fixture.machine.driver.reset()

    #expect(fixture.machine.driver.status == 0)
    #expect(fixture.queue.takeUsed() == .init(head: 0, written: 3))
    #expect(fixture.connector.ends == 0)
  }

  @Test func case16AResetOfASilentBackEndEndsWhenThatIsDead() throws {
    let fixture = try RemoteFixture(
      .direct,
      [FakeBackEnd.Plan(silentAt: .getVringBase, holdsRequests: true), FakeBackEnd.Plan()],
      answerLimit: 100_000_000
    )
    fixture.request([1, 2, 3])
    fixture.thread.pump(.milliseconds(20)) { false }

    fixture.machine.driver.reset()

    #expect(fixture.machine.driver.status == 0)
    #expect(fixture.connector.ends == 1)
    fixture.start()
    fixture.request([4, 5])
    #expect(fixture.takeUsed()?.written == 2)
  }

  @Test func case5AForgedChainFailsTheDeviceAloneAndAResetAndANewBackEndMendIt() throws {
    let fixture = try RemoteFixture(.direct)
    let other = try RemoteFixture(.direct, on: fixture.thread)

    HostileChain.descriptorOutsideWindow.build(on: &fixture.queue, buffer: fixture.scratch)
    fixture.notify()

    #expect(fixture.thread.pump { fixture.machine.driver.status & Status.deviceNeedsReset != 0 })
    other.request([7])
    #expect(other.takeUsed()?.written == 1)
    #expect(fixture.thread.pump { fixture.messages.contains { $0.contains("there is a new one") } })
    fixture.start()
    fixture.request([1, 2])
    #expect(fixture.takeUsed()?.written == 2)
  }

  @Test(arguments: [false, true])
  func aDeviceWhoseBackEndIsLostNeedsAResetAndWorksAfterIt(isResetBeforeTheReturn: Bool) throws {
    let fixture = try RemoteFixture(.direct, [FakeBackEnd.Plan(holdsRequests: true), FakeBackEnd.Plan()])
    fixture.request([1, 2, 3])
    fixture.thread.pump(.milliseconds(20)) { false }
    func isBack() -> Bool { fixture.messages.contains { $0.hasSuffix("it is back") } }
    let isThere = "the back-end: there is a new one, for when the guest's driver has reset the device"

    fixture.connector.backEnds[0].end()

    #expect(fixture.thread.pump { fixture.machine.driver.status & Status.deviceNeedsReset != 0 })
    #expect(fixture.messages.contains { $0.contains("its requests are lost, and the device needs a reset") })
    if !isResetBeforeTheReturn { #expect(fixture.thread.pump { fixture.messages.contains(isThere) }) }
    #expect(!isBack())
    #expect(fixture.takeUsed(.milliseconds(20)) == nil)
    fixture.start()
    #expect(fixture.machine.driver.status & Status.deviceNeedsReset == 0)
    fixture.request([4, 5])
    #expect(fixture.takeUsed() == .init(head: 0, written: 2))
    // The answer may be there before the device has heard that the ring runs.
    #expect(fixture.thread.pump { isBack() })
  }
}
