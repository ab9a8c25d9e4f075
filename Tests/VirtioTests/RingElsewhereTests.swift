import GuestMemory
import TestSupport
import Testing
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

/// Rings in pages that do not lie side by side.
@Suite struct RingElsewhereTests {
  private static let page = TestTranslation.page

  /// A driver's machine in which each page of the window is another one for the device's and the driver's addresses.
  private struct Scattered: DriverMachine {
    let machine: TestMachine
    /// By the page of the window, counted from its start.
    let pages: [UInt64]

    var windowStart: UInt64 { machine.windowStart }
    var windowSize: UInt64 { machine.windowSize }

    /// Shows the device the pages in another order.
    init(_ random: inout SplitMix64) throws {
      let translation = TestTranslation()
      machine = try TestMachine(EchoDevice(), translation: translation)
      pages = (0..<machine.windowSize / page).map { $0 }.shuffled(using: &random)
      for (number, target) in pages.enumerated() {
        translation.map(machine.windowStart / page + UInt64(number), to: machine.windowStart + target * page)
      }
    }

    func place(_ address: UInt64) -> UInt64 {
      windowStart + pages[Int((address - windowStart) / page)] * page + address % page
    }

    func load8(_ address: UInt64) -> UInt8 { machine.load8(place(address)) }
    func load16(_ address: UInt64) -> UInt16 { UInt16(load8(address)) | UInt16(load8(address + 1)) << 8 }
    func load32(_ address: UInt64) -> UInt32 { UInt32(load16(address)) | UInt32(load16(address + 2)) << 16 }
    func store8(_ value: UInt8, at address: UInt64) { machine.store8(value, at: place(address)) }

    func store16(_ value: UInt16, at address: UInt64) {
      for index in 0..<UInt64(2) { store8(UInt8(truncatingIfNeeded: value >> (8 * index)), at: address + index) }
    }

    func store32(_ value: UInt32, at address: UInt64) {
      for index in 0..<UInt64(4) { store8(UInt8(truncatingIfNeeded: value >> (8 * index)), at: address + index) }
    }

    func store64(_ value: UInt64, at address: UInt64) {
      for index in 0..<UInt64(8) { store8(UInt8(truncatingIfNeeded: value >> (8 * index)), at: address + index) }
    }

    func barrier() { machine.barrier() }
    func readRegister(_ offset: UInt64, width: Int) -> UInt64 { machine.readRegister(offset, width: width) }

    func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {
      machine.writeRegister(offset, width: width, value)
    }
  }

  /// What one driver does with an echo device, and what comes of it: the same calls on whatever machine.
  private struct Bench<Machine: DriverMachine> {
    let driver: Driver<Machine>
    var queue: DriverQueue<Machine>
    /// What has come back, flags and indices included.
    var seen: [UInt64] = []

    init(_ machine: Machine, base: UInt64, features: UInt64) {
      driver = Driver(machine)
      queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart + base)
      #expect(driver.negotiate(features | Feature.version1 | Feature.accessPlatform))
      #expect(driver.enable(queue))
      driver.start()
    }

    mutating func step(_ step: Step, _ random: SplitMix64) {
      var random = random
      let machine = driver.machine
      for buffer in step.buffers where !buffer.isWritable {
        for offset in 0..<UInt64(buffer.length) {
          machine.store8(UInt8(truncatingIfNeeded: random.next()), at: buffer.address + offset)
        }
      }
      let buffers = step.buffers.map { DriverQueue<Machine>.Buffer($0.address, $0.length, isWritable: $0.isWritable) }
      if let table = step.table {
        queue.writeChain(inTable: table, buffers)
        let flags = DriverQueue<Machine>.indirectFlag
        queue.writeDescriptor(step.head, table, 16 * UInt32(buffers.count), flags: flags)
      } else {
        queue.writeChain(buffers, from: step.head)
      }
      queue.setUsedEvent(step.usedEvent)
      queue.setAvailableFlags(step.flags)
      queue.offer(step.head)
      driver.notify(0)
      while let used = queue.takeUsed() { seen += [UInt64(used.head), UInt64(used.written)] }
      seen += [UInt64(queue.usedFlags), UInt64(queue.usedIndex), UInt64(queue.availableEvent)]
      seen.append(UInt64(driver.interruptStatus))
      driver.write(driver.interruptStatus, to: Register.interruptACK)
      for buffer in step.buffers {
        for offset in 0..<UInt64(buffer.length) { seen.append(UInt64(machine.load8(buffer.address + offset))) }
      }
    }
  }

  private struct Step {
    struct Buffer {
      var address: UInt64
      var length: UInt32
      var isWritable: Bool
    }

    var head: UInt16
    var buffers: [Buffer]
    /// Where an indirect table is.
    var table: UInt64?
    var usedEvent: UInt16
    var flags: UInt16

    init(_ windowStart: UInt64, number: UInt16, canBeIndirect: Bool, _ random: inout SplitMix64) {
      let count = Int.random(in: 1...4, using: &random)
      let readable = Int.random(in: 0...count, using: &random)
      // Each in 16 KiB of its own, wherever there.
      buffers = (0..<count).map { index in
        Buffer(
          address: windowStart + 0x1_0000 + 0x4000 * UInt64(index) + random.next() % 0x2000,
          length: UInt32.random(in: 1...0x1800, using: &random),
          isWritable: index >= readable
        )
      }
      head = UInt16.random(in: 0...11, using: &random)
      table = canBeIndirect && random.next() % 2 == 0 ? windowStart + 0x8000 + random.next() % 0x2000 : nil
      usedEvent = number &+ UInt16(random.next() % 3) &- 1
      flags = UInt16(random.next() % 2)
    }
  }

  /// A device sees no difference between a plain ring and one whose pages lie anywhere, wherever the ring begins.
  @Test(arguments: 0..<Effort.cases(60))
  func ringInPagesThatLieAnywhereIsAsAPlainOne(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    let scattered = try Scattered(&random)
    let plain = try TestMachine(EchoDevice())
    // So that some part of it lies over the end of a page.
    let base = Self.page - 16 * UInt64.random(in: 0...40, using: &random)
    let features = [0, Feature.eventIndex][seed % 2] | [0, Feature.indirectDescriptors][seed / 2 % 2]
    var one = Bench(scattered, base: base, features: features)
    var other = Bench(plain, base: base, features: features)

    for number in 0..<40 {
      let canBeIndirect = features & Feature.indirectDescriptors != 0
      let step = Step(plain.windowStart, number: UInt16(number), canBeIndirect: canBeIndirect, &random)
      let content = SplitMix64(seed: random.next())
      one.step(step, content)
      other.step(step, content)
    }

    #expect(firstDifference(one.seen, other.seen) == nil)
    #expect(scattered.machine.faults == [])
    #expect(scattered.machine.line.count == plain.line.count)
    let (ours, others) = (scattered.machine.transport.connection.counters, plain.transport.connection.counters)
    #expect(ours.memory.bytesRead == others.memory.bytesRead)
    #expect(ours.memory.bytesWritten == others.memory.bytesWritten)
    #expect(ours.memory.refusedAccesses == 0)
  }

  /// The element's two words are in different pages, and the next one is not.
  @Test func elementOfTheUsedRingOverTheEndOfAPageIsWrittenWhole() throws {
    var random = SplitMix64(seed: 1)
    let machine = try Scattered(&random)
    // The used ring begins 296 bytes behind the queue, and its third element 20 bytes behind that.
    let base = Self.page - 296 - 20 - 4
    var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart + base)
    let driver = Driver(machine)
    #expect((queue.deviceArea + 20) % Self.page == Self.page - 4)
    #expect(driver.negotiate(Feature.version1 | Feature.accessPlatform))
    #expect(driver.enable(queue))
    driver.start()

    for number in 0..<UInt16(20) {
      let head = number % 8
      let buffer = machine.windowStart + 0x1_0000
      queue.writeChain([.init(buffer, 3, isWritable: false), .init(buffer + 64, 9, isWritable: true)], from: head)
      queue.offer(head)
      driver.notify(0)
      #expect(queue.takeUsed() == .init(head: UInt32(head), written: 3))
    }
    #expect(machine.machine.faults == [])
  }

  @Test func ringOfWhichOnePageIsNotMappedIsRefused() throws {
    let translation = TestTranslation()
    let machine = try TestMachine(EchoDevice(), translation: translation)
    let first = machine.windowStart / Self.page
    translation.map(first, to: machine.windowStart)
    let queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart + Self.page - 64)
    #expect(machine.driver.negotiate(Feature.version1 | Feature.accessPlatform))

    #expect(!machine.driver.enable(queue))

    #expect(machine.faults == [.ringOutsideWindow])
  }

  @Test func pageOfARingThatGoesFailsTheDevice() throws {
    let translation = TestTranslation()
    let machine = try TestMachine(EchoDevice(), translation: translation)
    let first = machine.windowStart / Self.page
    translation.map(first, to: machine.windowStart)
    translation.map(first + 1, to: machine.windowStart + 4 * Self.page)
    let queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart + Self.page - 64)
    #expect(machine.driver.negotiate(Feature.version1 | Feature.accessPlatform))
    #expect(machine.driver.enable(queue))
    machine.driver.start()

    translation.unmap(first + 1)
    machine.transport.connection.space.reachBecameLess(in: (first + 1) * Self.page...(first + 2) * Self.page - 1) {}

    #expect(machine.faults == [.ringTakenAway])
  }

  @Test func indirectTableInPiecesLongerThanTheQueueIsRefused() throws {
    var random = SplitMix64(seed: 2)
    let machine = try Scattered(&random)
    var queue = DriverQueue(machine, index: 0, size: 16, at: machine.windowStart)
    let driver = Driver(machine)
    #expect(driver.negotiate(Feature.version1 | Feature.accessPlatform | Feature.indirectDescriptors))
    #expect(driver.enable(queue))
    driver.start()
    let table = machine.windowStart + 5 * Self.page - 32

    queue.writeDescriptor(0, table, 17 * 16, flags: DriverQueue<Scattered>.indirectFlag)
    queue.offer(0)
    driver.notify(0)

    #expect(machine.machine.faults == [.indirectOutsideWindow])
  }
}
