import Glibc
import Host
import Synchronization
import TestSupport
import Testing

@testable import Apus

@Suite(.timeLimit(.minutes(10))) struct MailboxTests {
  private let mailbox = Mailbox()

  @Test func theFirstVerdictStandsAndTheNextBootHasNone() {
    mailbox.beginBoot()
    mailbox.give(Outcome(.timedOut, "first"))
    mailbox.give(Outcome(.poweredOff, "second"))
    let first = mailbox.verdict
    mailbox.endBoot()

    mailbox.beginBoot()

    #expect(first == Outcome(.timedOut, "first"))
    #expect(mailbox.verdict == nil)
  }

  @Test func theFirstOrderCountsAndIsTheVerdictOfEachBootThatComes() throws {
    let event = try mailbox.open()
    mailbox.order(Outcome(.stopped, "one"))
    mailbox.order(Outcome(.timedOut, "two"))
    event.value.clear()

    mailbox.beginBoot()

    #expect(mailbox.verdict?.message == "one")
    #expect(isReadable(event.value.rawValue))
  }

  @Test func whatWasAskedBeforeTheRunWakesItsFirstBoot() throws {
    mailbox.ask { _ in }
    let event = try mailbox.open()
    #expect(!isReadable(event.value.rawValue, within: 0))

    mailbox.beginBoot()

    #expect(isReadable(event.value.rawValue))
  }

  @Test func aVCPUThatWaitsForTheDeviceThreadIsLetGoWhenTheBootEnds() throws {
    mailbox.beginBoot()
    let began = Gate()
    let waiter = try HostThread(name: "waiter") { [mailbox] in
      began.open()
      mailbox.perform { _ in Issue.record("nothing is done any more") }
    }
    began.wait()

    mailbox.endBoot()
    waiter.join()

    mailbox.perform { _ in Issue.record("nothing is done any more") }
  }

  @Test func whoAsksAfterTheRunHasNoAnswerAndWhoAskedBeforeHasNone() {
    let answers = Mutex<[Bool]>([])
    mailbox.ask { boot in answers.withLock { $0.append(boot != nil) } }
    #expect(answers.withLock { $0 }.isEmpty)

    mailbox.finish()
    mailbox.ask { boot in answers.withLock { $0.append(boot != nil) } }

    #expect(answers.withLock { $0 } == [false, false])
  }
}

@Suite(.timeLimit(.minutes(10))) struct VCPUHoldTests {
  private let hold = VCPUHold()
  private let answers = Answers()

  private final class Answers: Sendable {
    private let stored = Mutex<[Bool]>([])
    let gate = Gate()

    func add(_ answer: Bool) {
      stored.withLock { $0.append(answer) }
      gate.open()
    }

    var all: [Bool] { stored.withLock { $0 } }
  }

  @Test func allAreHeldBeforeTheAnswerComesAndGoOnTogether() throws {
    let passed = Gate()
    hold.begin(2) { [answers] in answers.add($0) }
    let threads = try (0..<2).map { _ in
      try HostThread(name: "vcpu") { [hold] in
        hold.wait()
        passed.open()
      }
    }
    answers.gate.wait()
    let isWanted = hold.isWanted

    hold.end()
    for thread in threads { thread.join() }

    #expect(isWanted && !hold.isWanted)
    #expect(answers.all == [true])
  }

  @Test func aPauseThatFollowsAnotherAtOnceHoldsAllAgain() throws {
    // As vCPUs do, each comes when it is kicked, and does not look again before the next kick.
    let kicks = [Kick(), Kick()]
    let isOver = Atomic(false)
    let threads = try kicks.map { kick in
      try HostThread(name: "vcpu") { [hold] in
        while !isOver.load(ordering: .acquiring) {
          if kick.isDue.exchange(false, ordering: .acquiringAndReleasing), hold.isWanted { hold.wait() }
        }
      }
    }

    var pauses = 0
    while pauses < 300 {
      hold.begin(2) { [answers] in answers.add($0) }
      for kick in kicks { kick.isDue.store(true, ordering: .releasing) }
      for _ in 0..<50_000 where answers.all.count == pauses { usleep(100) }
      guard answers.all.count == pauses + 1 else { break }
      pauses += 1
      hold.end()
    }
    hold.end()
    isOver.store(true, ordering: .releasing)
    for thread in threads { thread.join() }

    #expect(pauses == 300)
    #expect(answers.all.prefix(pauses).allSatisfy { $0 })
  }

  private final class Kick: Sendable {
    let isDue = Atomic(false)
  }

  @Test func aPauseThatIsTakenBackBeforeAllHaveComeSaysSo() throws {
    hold.begin(2) { [answers] in answers.add($0) }
    let thread = try HostThread(name: "vcpu") { [hold] in hold.wait() }

    hold.end()
    thread.join()
    hold.wait()

    #expect(answers.all == [false])
  }
}
