public import Virtio
internal import VirtioDriver
internal import VirtioMMIO
public import VirtioTesting

/// A fuzzer's input as a driver's doings: memory, rings, registers, resets, suspensions, and what the host does
/// meanwhile. The device must come through all of it, keep to its window, and work after a reset.
public final class DriverProgram: @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  private let machine: TestMachine
  private let queueCount: Int
  /// 256 bytes for each queue of 8 descriptors, then scratch memory.
  private var queues: [DriverQueue<TestMachine>] = []

  private static var queueSize: UInt16 { 8 }
  private static var queueSpace: UInt64 { 512 }

  public init(_ device: any VirtioDevice, _ thread: ImmediateThread) {
    do {
      machine = try TestMachine(device, windowSize: 0x10000, thread: thread)
    } catch {
      fatalError("the fuzzer has no memory: \(error)")
    }
    queueCount = device.queueSizes.count
  }

  /// - Parameter host: something happens on the host; the number says what.
  public func run(_ input: consuming ByteReader, host: (UInt8) -> Void) {
    machine.driver.reset()
    machine.observer.forget()
    setUp(features: machine.driver.offeredFeatures)
    while !input.isAtEnd {
      let operation = input.byte()
      switch operation % 10 {
      case 0: poke(&input)
      case 1, 2: writeChain(&input, isIndirect: operation % 10 == 2)
      case 3: offer(&input)
      case 4: machine.driver.notify(Int(input.byte()) % (queueCount + 1))
      case 5: host(input.byte())
      case 6: writeRegister(&input)
      case 7: setUp(features: negotiable(input.number(UInt64.self)))
      case 8: suspendAndResume()
      default: _ = machine.readRegister(UInt64(input.byte()) << 1, width: 1 << Int(input.byte() % 4))
      }
    }
    check()
  }

  private func negotiable(_ choice: UInt64) -> UInt64 {
    machine.driver.offeredFeatures & choice | Feature.version1 | Feature.accessPlatform
  }

  private func setUp(features: UInt64) {
    guard machine.driver.negotiate(features) else { return }
    queues = (0..<queueCount).map {
      DriverQueue(
        machine,
        index: $0,
        size: Self.queueSize,
        at: machine.windowStart + Self.queueSpace * UInt64($0)
      )
    }
    for queue in queues { _ = machine.driver.enable(queue) }
    machine.driver.start()
  }

  private func poke(_ input: inout ByteReader) {
    let offset = UInt64(input.number(UInt16.self))
    let bytes = input.bytes(Int(input.byte() % 32))
    guard offset + UInt64(bytes.count) <= machine.windowSize else { return }
    machine.store(bytes, at: machine.windowStart + offset)
  }

  /// Buffers lie in the window, but for those whose length is odd beyond a limit: their addresses are taken as they
  /// are.
  private func writeChain(_ input: inout ByteReader, isIndirect: Bool) {
    guard !queues.isEmpty else { return }
    let queue = queues[Int(input.byte()) % queues.count]
    let first = UInt16(input.byte())
    let count = UInt16(input.byte() % 8)
    let table = isIndirect ? machine.windowStart + 0x8000 + 16 * UInt64(input.byte()) : queue.descriptorTable
    for number in 0..<count {
      let shape = input.byte()
      let length: UInt32
      let address: UInt64
      if shape & 0x80 != 0 {
        address = input.number(UInt64.self)
        length = input.number(UInt32.self)
      } else {
        address = machine.windowStart + UInt64(input.number(UInt16.self))
        length = UInt32(input.number(UInt16.self) % 2048)
      }
      let isLast = number == count - 1
      let flags = UInt16(shape & 7) & (isLast ? ~1 : ~0) | (isLast ? 0 : 1)
      queue.writeDescriptor(
        inTable: table,
        isIndirect ? number : (first + number) % Self.queueSize,
        address,
        length,
        flags: shape & 0x40 != 0 ? UInt16(shape & 7) : flags & ~4,
        next: isIndirect ? number + 1 : (first + number + 1) % (shape & 0x20 != 0 ? 16 : Self.queueSize)
      )
    }
    if isIndirect { queue.writeDescriptor(first % Self.queueSize, table, 16 * UInt32(count), flags: 4) }
  }

  private func offer(_ input: inout ByteReader) {
    guard !queues.isEmpty else { return }
    let index = Int(input.byte()) % queues.count
    let head = UInt16(input.byte())
    queues[index].offer(head & 0x80 != 0 ? head : head % Self.queueSize)
    if head & 0x40 != 0 { machine.driver.notify(index) }
  }

  private func writeRegister(_ input: inout ByteReader) {
    let offset = UInt64(input.byte()) << 1
    let width = 1 << Int(input.byte() % 4)
    machine.writeRegister(offset, width: width, UInt64(input.number(UInt32.self)))
  }

  private func suspendAndResume() {
    machine.transport.suspend()
    let state = try? machine.transport.savedState()
    precondition(state != nil && state == (try? machine.transport.savedState()), "a suspended device is at rest")
    machine.transport.resume()
  }

  /// What holds after anything that a guest may do.
  private func check() {
    let counters = machine.transport.connection.counters
    precondition(machine.observer.events.count <= Int(counters.faults), "every event is counted")
    machine.driver.reset()
    precondition(machine.driver.status == 0, "a reset always ends")
    precondition(machine.driver.interruptStatus == 0, "a reset takes interrupts back")
  }
}
