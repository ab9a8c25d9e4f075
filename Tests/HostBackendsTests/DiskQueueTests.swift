import Host
import TestSupport
import Testing
import VirtioDevices

@testable import HostBackends

@Suite(.timeLimit(.minutes(10))) struct DiskQueueTests {
  private func flushes(_ tags: UInt32...) -> [DiskRequest] { tags.map { DiskRequest(tag: $0, work: .flush) } }

  @Test func aQueueInWhichSomethingAlwaysWaitsServesAnyNumberOfRequestsInOrderWithTheRoomOfThree() {
    let queue = DiskQueue()
    queue.prepare(requests: 3)
    queue.add(flushes(0, 1))

    var outOfOrder = 0
    for tag in 2..<100_000 as Range<UInt32> {
      queue.add(flushes(tag))
      if queue.next()?.tag != tag - 2 { outOfOrder += 1 }
    }

    #expect(outOfOrder == 0)
    #expect(queue.next()?.tag == 99_998)
    #expect(queue.next()?.tag == 99_999)
  }

  @Test func aClosedQueueGivesNothingOfWhatWaitedToAnyWorker() {
    let queue = DiskQueue()
    queue.prepare(requests: 100)
    queue.add((0..<100).map { DiskRequest(tag: $0, work: .flush) })

    queue.close()

    #expect(queue.next()?.tag == nil)
    #expect(queue.next()?.tag == nil)
  }

  @Test func closingEndsWorkersThatWait() throws {
    let queue = DiskQueue()
    queue.prepare(requests: 4)
    let workers = try (0..<4).map { _ in try HostThread(name: "waiter") { while queue.next() != nil {} } }

    queue.close()

    // The test's limit of time is what would not be kept.
    for worker in workers { worker.join() }
  }

  @Test func whatWaitsFailsWhereThereIsNobodyToDoIt() throws {
    let (queue, finished) = (DiskQueue(), try CompletionBox())
    queue.prepare(requests: 4)
    queue.add(flushes(2, 0, 3))

    queue.failAll(into: finished)
    var taken: [BlockCompletion] = []
    let count = finished.take(into: &taken)

    #expect(count == 3)
    #expect(taken == [2, 0, 3].map { BlockCompletion(tag: $0, succeeded: false) })
    #expect(isReadable(finished.event.rawValue))
  }

  @Test func completionsAreTakenOnceAndOnlyTheFirstOfThemRings() throws {
    let finished = try CompletionBox()
    var taken: [BlockCompletion] = []

    finished.add(1, true)
    finished.event.clear()
    finished.add(2, false)
    let isRinging = isReadable(finished.event.rawValue)
    let counts = [finished.take(into: &taken), finished.take(into: &taken)]

    #expect(!isRinging)
    #expect(counts == [2, 0])
    #expect(taken == [.init(tag: 1, succeeded: true), .init(tag: 2, succeeded: false)])
  }
}
