import Dispatch
import Glibc
import Synchronization
import TestLimits
import TestSupport
import Testing
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

/// The device on a thread of its own, the driver on the test's.
@Suite struct DeviceThreadTests {
  /// A device thread out of a serial queue.
  final class QueueThread: DeviceThread {
    private let queue = DispatchQueue(label: "device")

    func post(_ work: @escaping @Sendable () -> Void) { queue.async(execute: work) }

    func perform(_ work: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
      let done = DispatchSemaphore(value: 0)
      queue.async { work { done.signal() } }
      done.wait()
    }
  }

  static let features = Feature.version1 | Feature.accessPlatform | Feature.eventIndex

  /// Whether a driver that stored the available index `new`, and `old` before, has to notify (virtio 1.3, 2.7.10).
  private func mustNotify(_ event: UInt16, new: UInt16, old: UInt16) -> Bool { new &- event &- 1 < new &- old }

  @Test func noNotificationAndNoInterruptIsLostOverManyRequests() throws {
    let total = 50_000
    let machine = try TestMachine(EchoDevice(), thread: QueueThread())
    var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
    #expect(machine.driver.negotiate(Self.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    for head in 0..<16 { queue.writeDescriptor(UInt16(head), machine.windowStart + 0x1000, 4, flags: 2) }
    var offered = 0
    var taken = 0
    var interrupts = 0
    var silentInterrupts = 0

    func offerMore() {
      let old = queue.nextAvailable
      // Batches of different lengths, so that both sides meet in all states.
      let batch = min(total - offered, min(16 - (offered - taken), 1 + offered % 7))
      for _ in 0..<batch {
        queue.offer(queue.nextAvailable % 16)
        offered += 1
      }
      if batch > 0, mustNotify(queue.availableEvent, new: queue.nextAvailable, old: old) { machine.driver.notify(0) }
    }

    func takeAll() {
      repeat {
        while queue.takeUsed() != nil { taken += 1 }
        queue.setUsedEvent(queue.nextUsed)
        machine.barrier()
      } while queue.usedIndex != queue.nextUsed
    }

    offerMore()
    waiting: while taken < total {
      let usual = DispatchTime.now() + .seconds(1)
      var limit: TestLimit?
      while machine.line.count == interrupts {
        sched_yield()
        guard DispatchTime.now() > usual else { continue }
        let reached = limit ?? TestLimit(.seconds(20))
        limit = reached
        if reached.hasPassed {
          Issue.record("lost: \(offered) offered, \(taken) taken, \(interrupts) interrupts")
          break waiting
        }
      }
      interrupts = machine.line.count
      let before = taken
      let status = machine.driver.interruptStatus
      machine.driver.write(status, to: Register.interruptACK)
      // As Linux does it: nothing in the status, nothing looked at.
      if status & 1 != 0 { takeAll() } else { silentInterrupts += 1 }
      if taken > before { offerMore() }
    }

    #expect(taken == total)
    #expect(machine.faults == [])
    #expect(machine.transport.connection.counters.interrupts <= UInt64(total))
    #expect(silentInterrupts <= interrupts)
  }

  @Test func resetInTheMiddleOfWorkLeavesTheMemoryAlone() throws {
    let machine = try TestMachine(EchoDevice(), thread: QueueThread())
    for round in 0..<500 {
      var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
      #expect(machine.driver.negotiate(Self.features))
      #expect(machine.driver.enable(queue))
      machine.driver.start()
      for head in 0..<16 {
        queue.writeDescriptor(UInt16(head), machine.windowStart + 0x1000, 4, flags: 2)
        queue.offer(UInt16(head))
        machine.driver.notify(0)
        if head == round % 16 { break }
      }

      machine.driver.reset()
      let atReset = queue.usedIndex
      for _ in 0..<100 { machine.barrier() }

      #expect(queue.usedIndex == atReset)
      #expect(machine.driver.status == 0)
    }
    #expect(machine.faults == [])
  }

  @Test func registersMayBeUsedByManyThreadsAtOnce() throws {
    let machine = try TestMachine(EchoDevice(), thread: QueueThread())
    let rounds = Atomic<Int>(0)

    DispatchQueue.concurrentPerform(iterations: 4) { number in
      for _ in 0..<Effort.cases(500) {
        _ = machine.driver.negotiate(Self.features)
        machine.driver.write(UInt32(number % 2), to: Register.queueSel)
        machine.driver.write(1, to: Register.queueReady)
        machine.driver.start()
        machine.driver.notify(number % 3)
        rounds.add(1, ordering: .relaxed)
      }
    }
    machine.driver.reset()

    #expect(rounds.load(ordering: .relaxed) == 4 * Effort.cases(500))
    #expect(machine.driver.status == 0)
  }
}
