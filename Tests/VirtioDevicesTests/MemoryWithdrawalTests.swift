import GuestMemory
import SCMI
import SCMIFile
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

/// A translation that takes memory away while a device works with it.
@Suite struct MemoryWithdrawalTests {
  private static let page = TestTranslation.page

  /// A disk behind a translation that maps all of its window but for what a test takes away.
  private struct Bench {
    let translation = TestTranslation()
    let backend = MemoryBlock(sectors: 64)
    let device: BlockDevice<MemoryBlock>
    let machine: TestMachine
    let thread: ImmediateThread
    var queue: DriverQueue<TestMachine>
    var driver: Driver<TestMachine> { machine.driver }
    var buffer: UInt64 { machine.windowStart + 16 * page }

    init() throws {
      device = BlockDevice(name: "disk", backend: backend)
      thread = ImmediateThread()
      machine = try TestMachine(device, translation: translation, thread: thread)
      translation.mapIdentity(machine.windowStart, size: machine.windowSize)
      queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
      start()
    }

    mutating func start() {
      queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
      #expect(machine.driver.negotiate(Feature.version1 | Feature.accessPlatform))
      #expect(machine.driver.enable(queue))
      machine.driver.start()
    }

    /// Asks for a sector.
    mutating func read(_ head: UInt16 = 0) {
      let at = machine.windowStart + 8 * page + 0x20 * UInt64(head)
      for offset: UInt64 in [0, 8] { machine.store64(0, at: at + offset) }
      queue.writeChain(
        [.init(at, 16, isWritable: false), .init(buffer, 512, isWritable: true), .init(at + 16, 1, isWritable: true)],
        from: head
      )
      queue.offer(head)
      machine.driver.notify(0)
    }

    /// UNMAP: takes the page of `address` away.
    ///
    /// - Returns: whether its driver has its answer.
    func unmap(_ address: UInt64) -> Flag {
      translation.unmap(address / page)
      let isAnswered = Flag()
      machine.transport.connection.space.reachBecameLess { isAnswered.value = true }
      return isAnswered
    }

    func finishRequests() {
      backend.finishAll()
      _ = device.backendReady()
    }
  }

  private final class Flag: @unchecked Sendable {
    // SAFETY: @unchecked: used on one thread.
    var value = false
  }

  @Test func withdrawalIsOverWhenWhatWasInFlightIsAndLaterRequestsAreRefused() throws {
    var bench = try Bench()
    bench.backend.isDeferred = true
    bench.read()
    #expect(bench.backend.inFlight == 1)

    let isAnswered = bench.unmap(bench.buffer)
    #expect(!isAnswered.value)
    bench.finishRequests()

    #expect(isAnswered.value)
    #expect(bench.queue.takeUsed() == .init(head: 0, written: 513))
    #expect(bench.machine.faults == [])
    bench.read()
    #expect(bench.machine.faults == [.descriptorOutsideWindow])
    #expect(bench.driver.status & Status.deviceNeedsReset != 0)
  }

  @Test func whatIsAskedForDuringAWithdrawalIsDoneAfterIt() throws {
    var bench = try Bench()
    bench.backend.isDeferred = true
    bench.read(0)
    let (first, second) = (bench.unmap(bench.buffer + Self.page), bench.unmap(bench.buffer + 2 * Self.page))

    bench.read(4)
    #expect(bench.backend.inFlight == 1)
    bench.backend.isDeferred = false
    bench.finishRequests()

    #expect(first.value && second.value)
    #expect(bench.queue.takeUsed() == .init(head: 0, written: 513))
    #expect(bench.queue.takeUsed() == .init(head: 4, written: 513))
    #expect(bench.machine.faults == [])
  }

  @Test func withdrawalFromASuspendedDeviceLeavesItSuspended() throws {
    var bench = try Bench()
    bench.machine.transport.suspend()

    let isAnswered = bench.unmap(bench.buffer + Self.page)
    bench.read()

    #expect(isAnswered.value)
    #expect(bench.queue.usedIndex == 0)
    bench.machine.transport.resume()
    #expect(bench.queue.usedIndex == 1)
  }

  @Test func ringThatIsTakenAwayInUseFailsTheDeviceWhichTouchesItNoMore() throws {
    var bench = try Bench()
    bench.backend.isDeferred = true
    bench.read()
    let used = bench.queue.deviceArea

    let isAnswered = bench.unmap(used)
    let atWithdrawal = bench.machine.load16(used + 2)
    bench.finishRequests()

    #expect(isAnswered.value)
    #expect(bench.machine.faults == [.ringTakenAway])
    #expect(bench.driver.status & Status.deviceNeedsReset != 0)
    #expect(bench.machine.load16(used + 2) == atWithdrawal)
    #expect(atWithdrawal == 0)
    bench.translation.mapIdentity(bench.machine.windowStart, size: bench.machine.windowSize)
    bench.backend.isDeferred = false
    bench.start()
    bench.read()
    #expect(bench.queue.takeUsed() == .init(head: 0, written: 513))
  }

  @Test func ringThatLeadsElsewhereAllAtOnceFailsTheDevice() throws {
    let bench = try Bench()
    bench.translation.map(
      bench.machine.windowStart / Self.page,
      to: bench.machine.windowStart + 64 * Self.page
    )

    bench.machine.transport.connection.space.reachBecameLess {}

    #expect(bench.machine.faults == [.ringTakenAway])
  }

  @Test func ringThatGoesBetweenQueueReadyAndDriverOKIsFoundOut() throws {
    let bench = try Bench()
    #expect(bench.driver.negotiate(Feature.version1 | Feature.accessPlatform))
    #expect(bench.driver.enable(bench.queue))
    let isAnswered = bench.unmap(bench.machine.windowStart)

    bench.driver.start()

    #expect(isAnswered.value)
    #expect(bench.machine.faults == [.ringOutsideWindow])
    #expect(bench.driver.status & Status.deviceNeedsReset != 0)
  }

  @Test func lateReplyToABufferThatWentIsAFaultAndNotWritten() throws {
    let clock = ManualClock()
    let definition = PlatformDefinition { platform in
      platform.agents = [AgentDefinition("guest")]
      platform.rules = [MisbehaviourRule("rule", .late(5_000)) { $0.times = 1 }]
    }
    let platform = SharedPlatform(try SCMIPlatform(definition)) { clock.now }
    let translation = TestTranslation()
    let ends = SCMIEnds(platform)
    let machine = try TestMachine(ends.device, translation: translation)
    translation.mapIdentity(machine.windowStart, size: machine.windowSize)
    var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
    #expect(machine.driver.negotiate(Feature.version1 | Feature.accessPlatform))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    let (request, reply) = (machine.windowStart + 8 * Self.page, machine.windowStart + 9 * Self.page)
    let command = SCMIMessage(header: MessageHeader(.base, .version, token: 5)).bytes
    machine.store(command, at: request)
    queue.writeChain([
      .init(request, UInt32(command.count), isWritable: false), .init(reply, 128, isWritable: true),
    ])
    queue.offer(0)
    machine.driver.notify(0)

    translation.unmap(reply / Self.page)
    let isAnswered = Flag()
    machine.transport.connection.space.reachBecameLess { isAnswered.value = true }
    clock.now = 5_000
    _ = ends.device.timerFired()

    #expect(isAnswered.value)
    #expect(machine.faults == [.descriptorOutsideWindow])
    #expect(machine.load32(reply) == 0)
    #expect(queue.usedIndex == 0)
  }
}
