import Glibc
import Host
import Synchronization
import Testing

@testable import Apus

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
    hold.begin(.owner, 2) { [answers] in answers.add($0) }
    let threads = try (0..<2).map { _ in
      try HostThread(name: "vcpu") { [hold] in
        hold.wait()
        passed.open()
      }
    }
    answers.gate.wait()
    let isWanted = hold.isWanted

    hold.end(.owner)
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
      hold.begin(.owner, 2) { [answers] in answers.add($0) }
      for kick in kicks { kick.isDue.store(true, ordering: .releasing) }
      for _ in 0..<50_000 where answers.all.count == pauses { usleep(100) }
      guard answers.all.count == pauses + 1 else { break }
      pauses += 1
      hold.end(.owner)
    }
    hold.end(.owner)
    isOver.store(true, ordering: .releasing)
    for thread in threads { thread.join() }

    #expect(pauses == 300)
    #expect(answers.all.prefix(pauses).allSatisfy { $0 })
  }

  private final class Kick: Sendable {
    let isDue = Atomic(false)
  }

  @Test func aPauseThatIsTakenBackBeforeAllHaveComeSaysSo() throws {
    hold.begin(.owner, 2) { [answers] in answers.add($0) }
    let thread = try HostThread(name: "vcpu") { [hold] in hold.wait() }

    hold.end(.owner)
    thread.join()
    hold.wait()

    #expect(answers.all == [false])
  }

  @Test func vCPUsGoOnOnlyWhereNoReasonHoldsThem() throws {
    let passed = Answers()
    hold.begin(.owner, 1) { [answers] in answers.add($0) }
    let thread = try HostThread(name: "vcpu") { [hold] in
      hold.wait()
      passed.add(true)
    }
    answers.gate.wait()
    // All are here already, so the other reasons have their answers at once.
    hold.begin(.debugger, 1) { [answers] in answers.add($0) }
    hold.begin(.monitor, 1) { [answers] in answers.add($0) }
    let held = answers.all

    hold.end(.owner)
    hold.end(.monitor)
    let isHeldByAnyOther = hold.isWanted && hold.isHeld(by: .debugger) && !hold.isHeld(by: .owner)
    usleep(20_000)
    let early = passed.all
    hold.end(.debugger)
    thread.join()

    #expect(held == [true, true, true])
    #expect(isHeldByAnyOther && early.isEmpty)
    #expect(passed.all == [true] && !hold.isWanted)
  }

  @Test func aReasonThatEndsEarlySaysSoToItsOwnCallersOnly() throws {
    let others = Answers()
    hold.begin(.owner, 2) { [answers] in answers.add($0) }
    hold.begin(.monitor, 2) { others.add($0) }

    hold.end(.owner)
    let afterTheFirst = (answers.all, others.all)
    let threads = try (0..<2).map { _ in try HostThread(name: "vcpu") { [hold] in hold.wait() } }
    others.gate.wait()
    hold.end(.monitor)
    for thread in threads { thread.join() }

    #expect(afterTheFirst.0 == [false] && afterTheFirst.1.isEmpty)
    #expect(others.all == [true])
  }

  @Test func aReasonThatBeginsTwiceHoldsUntilItHasEndedAsOften() throws {
    hold.begin(.monitor, 1) { [answers] in answers.add($0) }
    hold.begin(.monitor, 1) { [answers] in answers.add($0) }
    let thread = try HostThread(name: "vcpu") { [hold] in hold.wait() }
    answers.gate.wait()
    answers.gate.wait()

    hold.end(.monitor)
    let isHeldStill = hold.isWanted
    hold.end(.monitor)
    hold.end(.monitor)
    thread.join()

    #expect(answers.all == [true, true])
    #expect(isHeldStill && !hold.isWanted)
  }

  @Test func aHoldThatIsClosedHoldsNobodyAgain() throws {
    hold.begin(.owner, 2) { [answers] in answers.add($0) }
    hold.begin(.debugger, 2) { [answers] in answers.add($0) }
    let thread = try HostThread(name: "vcpu") { [hold] in hold.wait() }

    hold.close()
    thread.join()
    hold.begin(.monitor, 2) { [answers] in answers.add($0) }
    hold.wait()

    #expect(answers.all == [false, false, false])
    #expect(!hold.isWanted)
  }

  @Test func reasonsThatComeAndGoTogetherLoseNoVCPUAndNoAnswer() throws {
    let count = 3
    let ran = Atomic(0)
    let isOver = Atomic(false)
    let holders = Atomic(0)
    let wrong = Atomic(0)
    // As a vCPU does, it looks whether it is wanted before each of its instructions.
    let vcpus = try (0..<count).map { _ in
      try HostThread(name: "vcpu") { [hold] in
        while !isOver.load(ordering: .acquiring) {
          if hold.isWanted { hold.wait() }
          ran.add(1, ordering: .relaxed)
        }
      }
    }
    let reasons = try VCPUHold.Reason.allCases.map { reason in
      try HostThread(name: "holder") { [hold] in
        for _ in 0..<200 {
          let gate = Gate()
          hold.begin(reason, count) { isAll in
            if !isAll { wrong.add(1, ordering: .relaxed) }
            gate.open()
          }
          gate.wait()
          holders.add(1, ordering: .relaxed)
          hold.end(reason)
        }
      }
    }
    for thread in reasons { thread.join() }
    let before = ran.load(ordering: .relaxed)
    for _ in 0..<50_000 where ran.load(ordering: .relaxed) < before + 1000 { usleep(100) }
    isOver.store(true, ordering: .releasing)
    for thread in vcpus { thread.join() }

    #expect(holders.load(ordering: .relaxed) == 600)
    #expect(wrong.load(ordering: .relaxed) == 0)
    #expect(ran.load(ordering: .relaxed) >= before + 1000)
  }

  @Test func aVCPUThatIsKeptStaysWhileAnotherGoesOnUntilTheDebuggersNextHoldHasEnded() throws {
    let passed = [Answers(), Answers()]
    hold.begin(.debugger, 2) { [answers] in answers.add($0) }
    let threads = try (0..<2).map { vcpu in
      try HostThread(name: "vcpu") { [hold] in
        hold.wait(vcpu)
        passed[vcpu].add(true)
      }
    }
    answers.gate.wait()

    hold.end(.debugger, keeping: [1])
    threads[0].join()
    let isHeldStill = hold.isWanted && passed[1].all.isEmpty
    // The one that went on comes back: then all are here.
    hold.begin(.debugger, 2) { [answers] in answers.add($0) }
    let again = try HostThread(name: "vcpu") { [hold] in hold.wait(0) }
    answers.gate.wait()
    hold.end(.debugger)
    again.join()
    threads[1].join()

    #expect(isHeldStill && answers.all == [true, true])
    #expect(passed[0].all == [true] && passed[1].all == [true] && !hold.isWanted)
  }
}
