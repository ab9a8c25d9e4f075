import Glibc
import Host
import Synchronization
import TestSupport
import Testing

@testable import Apus

/// What somebody else gets told.
private final class Told: Sendable {
  private let outcomes = Mutex<[Outcome]>([])
  private let bell: SharedEventDescriptor

  init() throws {
    bell = SharedEventDescriptor(try EventDescriptor())
  }

  func tell(_ outcome: Outcome) {
    outcomes.withLock { $0.append(outcome) }
    bell.value.signal()
  }

  func wait(milliseconds: Int32) -> [Outcome] {
    _ = isReadable(bell.value.rawValue, within: milliseconds)
    return outcomes.withLock { $0 }
  }
}

@Suite(.timeLimit(.minutes(10))) struct WardenTests {
  private let mailbox = Mailbox()
  private let told: Told
  private let limit = Outcome(.timedOut, "the time was over")

  init() throws {
    told = try Told()
  }

  private func warden(
    deadline: UInt64?,
    clock: StoppableClock = StoppableClock(),
    grace: UInt64
  ) throws -> Warden {
    let told = told
    return try Warden(mailbox, signals: nil, deadline: deadline, clock: clock, limit: limit, grace: grace) {
      told.tell($0)
    }
  }

  @Test func aMachineThatDoesNotEndInTimeIsEndedAndThenAbandoned() throws {
    mailbox.beginBoot()
    let warden = try warden(deadline: HostClock.monotonic + 1_000_000, grace: 1_000_000)

    try warden.begin()

    #expect(told.wait(milliseconds: 10_000) == [limit])
    #expect(mailbox.verdict == limit)
  }

  @Test func aMachineThatEndsInTimeIsLeftAlone() throws {
    let warden = try warden(deadline: HostClock.monotonic + 20_000_000, grace: 20_000_000)
    try warden.begin()

    warden.end()

    #expect(told.wait(milliseconds: 100).isEmpty)
    #expect(mailbox.ordered == nil)
  }

  @Test func timeForWhichTheClockStandsDoesNotCount() throws {
    let clock = StoppableClock()
    let warden = try warden(deadline: clock.now + 30_000_000, clock: clock, grace: 1_000_000)
    clock.stop()
    try warden.begin()
    let whilePaused = told.wait(milliseconds: 200)

    clock.start()

    #expect(whilePaused.isEmpty)
    #expect(told.wait(milliseconds: 10_000) == [limit])
  }

  @Test func aClockThatIsStoppedAndStartedUnderAWaitingWardenPutsTheEndOff() throws {
    let clock = StoppableClock()
    let deadline = clock.now + 100_000_000
    let warden = try warden(deadline: deadline, clock: clock, grace: 1_000_000)
    try warden.begin()

    for _ in 0..<20 {
      clock.stop()
      usleep(10_000)
      clock.start()
    }
    let isEarly = clock.now < deadline && !told.wait(milliseconds: 0).isEmpty

    #expect(!isEarly)
    #expect(told.wait(milliseconds: 10_000) == [limit])
    #expect(clock.now >= deadline)
  }

  @Test func anOrderEndsAMachineWhoseClockStands() throws {
    let clock = StoppableClock()
    let warden = try warden(deadline: clock.now + 60_000_000_000, clock: clock, grace: 1_000_000)
    clock.stop()
    try warden.begin()
    let stopped = Outcome(.stopped, "stopped")

    mailbox.order(stopped)

    #expect(told.wait(milliseconds: 10_000) == [stopped])
  }

  @Test func anOrderStartsTheWardenOfAMachineWithoutATimeLimit() throws {
    let stopped = Outcome(.stopped, "stopped")
    let warden = try warden(deadline: nil, grace: 1_000_000)

    mailbox.order(stopped)

    #expect(told.wait(milliseconds: 10_000) == [stopped])
    warden.end()
  }

  @Test func patienceEndsWithTheOrderThatComesAndWithTheLimitOfOneThatHasCome() {
    let patience = Patience(mailbox, signals: nil, limit: nil)
    #expect(!patience.isOver)

    mailbox.order(limit)

    #expect(patience.isOver)
    #expect(!Patience(mailbox, signals: nil, limit: 60_000_000_000).isOver)
    #expect(Patience(mailbox, signals: nil, limit: 60_000_000_000).atMost(0).isOver)
  }
}
