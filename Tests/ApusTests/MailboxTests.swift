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
