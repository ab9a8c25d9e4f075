import Synchronization
import Testing
import Virtio
import VirtioDriver
import VirtioTesting

@Suite struct HostileRaceTests {
  private typealias Queue = DriverQueue<TestMachine>

  private let machine: TestMachine
  /// Behind the window.
  private let outside: UInt64

  init() throws {
    machine = try TestMachine(EchoDevice())
    outside = machine.windowStart + machine.windowSize
  }

  /// A device just started with one chain available, which it has not been told of: two buffers to read, one to write.
  private func offer() -> Queue {
    let buffer = machine.windowStart + 0x1000
    var queue = Queue(machine, index: 0, size: 16, at: machine.windowStart)
    #expect(machine.driver.negotiate(HostileDriverTests.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    machine.store([1, 2, 3], at: buffer)
    queue.writeChain([
      .init(buffer, 2, isWritable: false), .init(buffer + 2, 1, isWritable: false),
      .init(buffer + 64, 3, isWritable: true),
    ])
    queue.offer(0)
    return queue
  }

  private func prepare(_ race: HostileRace, on queue: Queue) -> HostileRace.Flip {
    race.prepare(on: queue, count: 3, descriptor: 0, table: machine.windowStart + 0x2000, outside: outside)
  }

  private var needsReset: Bool { machine.driver.status & Status.deviceNeedsReset != 0 }

  @Test(arguments: HostileRace.allCases)
  func oneValueIsAnsweredAndTheOtherIsTheFault(race: HostileRace) {
    var answered = offer()
    _ = prepare(race, on: answered)
    machine.driver.notify(0)
    #expect(answered.takeUsed() == Queue.Used(head: 0, written: 3))
    #expect(machine.faults == [])

    let refused = offer()
    var flip = prepare(race, on: refused)
    flip.good = flip.bad
    flip.store(on: machine)
    machine.driver.notify(0)

    #expect(needsReset)
    #expect(refused.usedIndex == 0)
    #expect(machine.faults.map { "\($0)" } == ["\(race.fault)"])
  }

  @Test(arguments: HostileRace.allCases)
  func deviceAnswersOrNeedsAResetWhileAnotherThreadChangesTheField(race: HostileRace) async {
    let (order, isOver) = (Order(), Order())
    let machine = machine
    let racer = Task.detached {
      while !isOver.isGiven.load(ordering: .acquiring) {
        if let flip = order.take() {
          for _ in 0..<100 { flip.store(on: machine) }
          order.done()
        }
        await Task.yield()
      }
    }
    for _ in 0..<300 {
      machine.observer.forget()
      let queue = offer()
      order.give(prepare(race, on: queue))
      machine.driver.notify(0)
      await order.waitUntilDone()

      let hasEnded = queue.usedIndex == 1 || needsReset
      let isOther = machine.faults.contains { "\($0)" != "\(race.fault)" }
      #expect(hasEnded)
      #expect(!isOther)
      #expect(machine.faults.count <= 1)
    }
    isOver.isGiven.store(true, ordering: .releasing)
    await racer.value
  }

  /// What the other thread is to do.
  private final class Order: Sendable {
    let isGiven = Atomic<Bool>(false)
    private let flip = Mutex<HostileRace.Flip?>(nil)

    func give(_ newFlip: HostileRace.Flip) {
      flip.withLock { $0 = newFlip }
      isGiven.store(true, ordering: .releasing)
    }

    func take() -> HostileRace.Flip? { flip.withLock { $0 } }

    func done() {
      flip.withLock { $0 = nil }
      isGiven.store(false, ordering: .releasing)
    }

    func waitUntilDone() async {
      while isGiven.load(ordering: .acquiring) { await Task.yield() }
    }
  }
}
