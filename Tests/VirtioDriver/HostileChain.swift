/// Chains that no driver may build. Each makes the device set DEVICE_NEEDS_RESET, and works again after a reset.
public enum HostileChain: UInt8, CaseIterable, Sendable {
  case descriptorOutsideWindow
  case descriptorCrossesWindowEnd
  case descriptorAddressOverflow
  case descriptorLengthZero
  case loop
  case chainLongerThanQueue
  case nextOutOfRange
  case headOutOfRange
  case indirectNested
  case indirectInsideItself
  case indirectOutsideWindow
  case indirectCrossesWindowEnd
  case indirectLengthZero
  case indirectLengthNotMultiple
  case indirectWithNext
  case indirectLoop
  case indirectNextOutOfRange
  case readableAfterWritable
  case availableIndexJumped

  /// The name of the fault that the device reports.
  public var fault: StaticString {
    switch self {
    case .descriptorOutsideWindow: "descriptorOutsideWindow"
    case .descriptorCrossesWindowEnd: "descriptorCrossesWindowEnd"
    case .descriptorAddressOverflow: "descriptorAddressOverflow"
    case .descriptorLengthZero: "descriptorLengthZero"
    case .loop, .chainLongerThanQueue, .indirectLoop: "chainTooLong"
    case .nextOutOfRange, .indirectNextOutOfRange: "nextOutOfRange"
    case .headOutOfRange: "headOutOfRange"
    case .indirectNested, .indirectInsideItself: "indirectNested"
    case .indirectOutsideWindow, .indirectCrossesWindowEnd: "indirectOutsideWindow"
    case .indirectLengthZero, .indirectLengthNotMultiple: "indirectLength"
    case .indirectWithNext: "indirectWithNext"
    case .readableAfterWritable: "readableAfterWritable"
    case .availableIndexJumped: "availableIndexJumped"
    }
  }

  /// Puts the chain into an empty queue of at least 4 descriptors and makes it available.
  ///
  /// - Parameter buffer: the address of 4096 bytes in the window that nothing else uses.
  public func build<Machine>(on queue: inout DriverQueue<Machine>, buffer: UInt64) {
    let machine = queue.machine
    let end = machine.windowStart + machine.windowSize
    let next = DriverQueue<Machine>.nextFlag
    let write = DriverQueue<Machine>.writeFlag
    let indirect = DriverQueue<Machine>.indirectFlag
    switch self {
    case .descriptorOutsideWindow: queue.writeDescriptor(0, end + 0x1000, 16, flags: write)
    case .descriptorCrossesWindowEnd: queue.writeDescriptor(0, end - 8, 16, flags: write)
    case .descriptorAddressOverflow: queue.writeDescriptor(0, .max - 7, 16, flags: write)
    case .descriptorLengthZero: queue.writeDescriptor(0, buffer, 0, flags: write)
    case .loop:
      queue.writeDescriptor(0, buffer, 16, flags: next | write, next: 1)
      queue.writeDescriptor(1, buffer, 16, flags: next | write, next: 0)
    case .chainLongerThanQueue:
      for number in 0..<queue.size {
        queue.writeDescriptor(number, buffer, 16, flags: next | write, next: number + 1)
      }
      queue.writeDescriptor(queue.size - 1, buffer, 16, flags: next | write, next: 0)
    case .nextOutOfRange: queue.writeDescriptor(0, buffer, 16, flags: next | write, next: queue.size)
    case .headOutOfRange:
      queue.offer(queue.size)
      return
    case .indirectNested:
      queue.writeDescriptor(inTable: buffer, 0, buffer + 64, 16, flags: indirect)
      queue.writeDescriptor(0, buffer, 16, flags: indirect)
    case .indirectInsideItself:
      queue.writeDescriptor(inTable: buffer, 0, buffer, 16, flags: indirect)
      queue.writeDescriptor(0, buffer, 16, flags: indirect)
    case .indirectOutsideWindow: queue.writeDescriptor(0, end + 0x1000, 16, flags: indirect)
    case .indirectCrossesWindowEnd: queue.writeDescriptor(0, end - 16, 32, flags: indirect)
    case .indirectLengthZero: queue.writeDescriptor(0, buffer, 0, flags: indirect)
    case .indirectLengthNotMultiple: queue.writeDescriptor(0, buffer, 24, flags: indirect)
    case .indirectWithNext:
      queue.writeDescriptor(inTable: buffer, 0, buffer + 64, 16, flags: write)
      queue.writeDescriptor(0, buffer, 16, flags: indirect | next, next: 1)
    case .indirectLoop:
      queue.writeDescriptor(inTable: buffer, 0, buffer + 64, 16, flags: write | next, next: 0)
      queue.writeDescriptor(0, buffer, 32, flags: indirect)
    case .indirectNextOutOfRange:
      queue.writeDescriptor(inTable: buffer, 0, buffer + 64, 16, flags: write | next, next: 2)
      queue.writeDescriptor(0, buffer, 32, flags: indirect)
    case .readableAfterWritable:
      queue.writeDescriptor(0, buffer, 16, flags: next | write, next: 1)
      queue.writeDescriptor(1, buffer, 16, flags: 0)
    case .availableIndexJumped:
      queue.publish(queue.nextAvailable &+ queue.size &+ 1)
      return
    }
    queue.offer(0)
  }
}
