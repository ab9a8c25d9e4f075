import GuestMemory
import Testing
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@Suite struct SplitVirtqueueTests {
  let machine: TestMachine
  let driver: Driver<TestMachine>
  let buffer: UInt64

  init() throws {
    machine = try TestMachine(EchoDevice())
    driver = machine.driver
    buffer = machine.windowStart + 0x1000
  }

  private func running(_ features: UInt64, size: UInt16 = 8) -> DriverQueue<TestMachine> {
    let queue = DriverQueue(machine, index: 0, size: size, at: machine.windowStart)
    #expect(driver.negotiate(Feature.version1 | Feature.accessPlatform | features))
    #expect(driver.enable(queue))
    driver.start()
    return queue
  }

  @Test func chainMayBeFramedInAnyWay() throws {
    var queue = running(0)
    machine.store([1, 2, 3, 4], at: buffer)
    queue.writeChain([
      .init(buffer, 1, isWritable: false), .init(buffer + 1, 3, isWritable: false),
      .init(buffer + 16, 3, isWritable: true), .init(buffer + 32, 8, isWritable: true),
    ])

    queue.offer(0)
    driver.notify(0)

    #expect(machine.bytes(at: buffer + 16, count: 3) == [1, 2, 3])
    #expect(machine.bytes(at: buffer + 32, count: 2) == [4, 0])
    #expect(queue.takeUsed() == DriverQueue<TestMachine>.Used(head: 0, written: 4))
    #expect(machine.transport.connection.counters.memory.largestChain == 4)
  }

  @Test func indirectTableFollowsDirectDescriptors() throws {
    var queue = running(Feature.indirectDescriptors)
    machine.store([7, 8], at: buffer)
    queue.writeDescriptor(0, buffer, 1, flags: 1, next: 1)
    queue.writeDescriptor(1, buffer + 0x100, 32, flags: 4)
    queue.writeChain(
      inTable: buffer + 0x100,
      [.init(buffer + 1, 1, isWritable: false), .init(buffer + 16, 2, isWritable: true)]
    )

    queue.offer(0)
    driver.notify(0)

    #expect(machine.bytes(at: buffer + 16, count: 2) == [7, 8])
    #expect(machine.faults == [])
  }

  @Test func writeFlagOfADescriptorThatNamesATableIsIgnored() throws {
    var queue = running(Feature.indirectDescriptors)
    machine.store([7], at: buffer)
    queue.writeDescriptor(0, buffer + 0x100, 32, flags: 4 | 2)
    queue.writeChain(
      inTable: buffer + 0x100,
      [.init(buffer, 1, isWritable: false), .init(buffer + 16, 1, isWritable: true)]
    )

    queue.offer(0)
    driver.notify(0)

    #expect(machine.bytes(at: buffer + 16, count: 1) == [7])
  }

  @Test func indirectDescriptorWithoutTheFeatureIsAFault() throws {
    var queue = running(0)
    queue.writeDescriptor(0, buffer, 16, flags: 4)

    queue.offer(0)
    driver.notify(0)

    #expect(machine.faults == [.indirectNotNegotiated])
  }

  @Test func indirectTableIntoItsOwnBytesDoesNoHarm() throws {
    var queue = running(Feature.indirectDescriptors)
    machine.store([1, 2, 3, 4], at: buffer + 0x40)
    queue.writeDescriptor(0, buffer, 32, flags: 4)
    queue.writeChain(inTable: buffer, [.init(buffer + 0x40, 4, isWritable: false), .init(buffer, 4, isWritable: true)])

    queue.offer(0)
    driver.notify(0)

    #expect(machine.bytes(at: buffer, count: 4) == [1, 2, 3, 4])
    #expect(machine.faults == [])
  }

  @Test func indicesWrapAround() throws {
    var queue = running(Feature.eventIndex, size: 4)
    machine.transport.suspend()
    var state = try machine.transport.savedState()
    state.connection.positions[0] = QueuePosition(nextAvailable: 65530, nextUsed: 65530)
    let other = try TestMachine(EchoDevice())
    queue = DriverQueue(other, index: 0, size: 4, at: other.windowStart)
    queue.nextAvailable = 65530
    queue.nextUsed = 65530
    queue.publish(65530)
    other.store16(65530, at: queue.deviceArea + 2)
    try other.transport.restore(state, EchoDevice.State())
    other.transport.resume()

    for round in 0..<20 {
      queue.writeDescriptor(UInt16(round % 4), buffer, 4, flags: 2)
      queue.offer(UInt16(round % 4))
      other.driver.notify(0)
      #expect(queue.takeUsed()?.head == UInt32(round % 4))
      #expect(queue.availableEvent == queue.nextAvailable)
    }

    #expect(queue.usedIndex == 14)
    #expect(other.faults == [])
  }

  @Test func withoutEventIndexTheInterruptFlagSuppresses() throws {
    var queue = running(0)
    queue.writeDescriptor(0, buffer, 4, flags: 2)
    queue.setAvailableFlags(1)

    queue.offer(0)
    driver.notify(0)

    #expect(queue.usedIndex == 1)
    #expect(machine.line.count == 0)
    #expect(queue.usedFlags == 0)
  }

  @Test func withEventIndexOneInterruptComesWhenTheIndexIsPassed() throws {
    var queue = running(Feature.eventIndex)
    queue.writeDescriptor(0, buffer, 4, flags: 2)
    queue.setUsedEvent(2)

    for _ in 0..<2 {
      queue.offer(0)
      driver.notify(0)
    }
    let before = machine.line.count
    queue.offer(0)
    driver.notify(0)

    #expect(before == 0)
    #expect(machine.line.count == 1)
    #expect(queue.availableEvent == 3)
  }

  @Test func batchGetsOneInterrupt() throws {
    var queue = running(Feature.eventIndex)
    for head in 0..<8 {
      queue.writeDescriptor(UInt16(head), buffer, 4, flags: 2)
      queue.offer(UInt16(head))
    }

    driver.notify(0)

    #expect(queue.usedIndex == 8)
    #expect(machine.line.count == 1)
  }

  @Test func stateTakenAndPutBackGoesOnWhereItWas() throws {
    var queue = running(Feature.eventIndex)
    for head in 0..<3 {
      queue.writeDescriptor(UInt16(head), buffer, 4, flags: 2)
      queue.offer(UInt16(head))
    }
    driver.notify(0)
    machine.transport.suspend()
    queue.offer(0)
    driver.notify(0)
    let state = try machine.transport.savedState()
    let other = try TestMachine(EchoDevice())
    other.store(machine.bytes(at: machine.windowStart, count: 0x2000), at: other.windowStart)

    try other.transport.restore(state, EchoDevice.State())
    let restored = try other.transport.savedState()
    #expect(restored == state)
    other.transport.resume()

    #expect(queue.usedIndex == 3)
    #expect(other.load16(queue.deviceArea + 2) == 4)
    #expect(other.driver.status == driver.status)
  }

  @Test func stateWithAQueueOutsideTheWindowIsRefused() throws {
    _ = running(0)
    machine.transport.suspend()
    var state = try machine.transport.savedState()
    state.queues[0].driverArea = 0
    let other = try TestMachine(EchoDevice())

    #expect(throws: DeviceStateError.invalid(device: "echo", field: "queue 0")) {
      try other.transport.restore(state, EchoDevice.State())
    }
  }
}
