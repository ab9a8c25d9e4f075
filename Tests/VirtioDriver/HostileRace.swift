/// Fields that a second vCPU changes to and fro while the device reads them. The device sees the one value or the
/// other: it answers the request, or sets DEVICE_NEEDS_RESET for the reason given, and reads nothing again that it has
/// checked.
public enum HostileRace: UInt8, CaseIterable, Sendable {
  case descriptorAddress
  case descriptorLength
  case descriptorFlags
  case descriptorNext
  case ringEntry
  case availableIndex
  case indirectTableAddress
  case indirectTableLength
  case indirectEntryAddress
  case indirectEntryFlags

  /// What the second vCPU stores in turn.
  public struct Flip: Sendable {
    public var address: UInt64
    /// In bytes: 2, 4 or 8.
    public var width: Int
    public var good: UInt64
    public var bad: UInt64

    public init(address: UInt64, width: Int, good: UInt64, bad: UInt64) {
      self.address = address
      self.width = width
      self.good = good
      self.bad = bad
    }

    /// Stores both values, the good one last.
    public func store<Machine: DriverMachine>(on machine: Machine) {
      store(bad, on: machine)
      store(good, on: machine)
    }

    private func store<Machine: DriverMachine>(_ value: UInt64, on machine: Machine) {
      switch width {
      case 2: machine.store16(UInt16(truncatingIfNeeded: value), at: address)
      case 4: machine.store32(UInt32(truncatingIfNeeded: value), at: address)
      default: machine.store64(value, at: address)
      }
    }
  }

  /// The name of the fault that the device reports for the bad value.
  public var fault: StaticString {
    switch self {
    case .descriptorAddress, .indirectEntryAddress: "descriptorOutsideWindow"
    case .descriptorLength: "descriptorCrossesWindowEnd"
    case .descriptorFlags: "indirectWithNext"
    case .descriptorNext: "nextOutOfRange"
    case .ringEntry: "headOutOfRange"
    case .availableIndex: "availableIndexJumped"
    case .indirectTableAddress: "indirectOutsideWindow"
    case .indirectTableLength: "indirectLength"
    case .indirectEntryFlags: "indirectNested"
    }
  }

  private var isIndirect: Bool {
    switch self {
    case .indirectTableAddress, .indirectTableLength, .indirectEntryAddress, .indirectEntryFlags: true
    default: false
    }
  }

  /// Says what to change, and puts the request into an indirect table where that is what is raced for.
  ///
  /// - Parameters:
  ///   - queue: one good chain is available in it, in the descriptors from 0 on.
  ///   - count: the chain's descriptors.
  ///   - descriptor: which of them is raced for; not the last.
  ///   - table: where `count` indirect descriptors have room.
  ///   - outside: an address that the device must not reach.
  public func prepare<Machine: DriverMachine>(
    on queue: DriverQueue<Machine>,
    count: UInt16,
    descriptor: UInt16,
    table: UInt64,
    outside: UInt64
  ) -> Flip {
    let machine = queue.machine
    let size = UInt64(queue.size)
    if isIndirect {
      for word in 0..<4 * UInt64(count) {
        machine.store32(machine.load32(queue.descriptorTable + 4 * word), at: table + 4 * word)
      }
      queue.writeDescriptor(0, table, 16 * UInt32(count), flags: DriverQueue<Machine>.indirectFlag)
    }
    let place = queue.descriptorTable + 16 * UInt64(descriptor)
    let entry = table + 16 * UInt64(descriptor)
    let indirect = UInt64(DriverQueue<Machine>.indirectFlag)
    switch self {
    case .descriptorAddress: return flip(place, 8, machine, to: outside)
    case .descriptorLength: return flip(place + 8, 4, machine, to: 0xFFFF_FFFF)
    case .descriptorFlags: return flip(place + 12, 2, machine, to: indirect | UInt64(machine.load16(place + 12)))
    case .descriptorNext: return flip(place + 14, 2, machine, to: size)
    case .ringEntry: return flip(queue.driverArea + 4, 2, machine, to: size)
    case .availableIndex:
      return flip(queue.driverArea + 2, 2, machine, to: UInt64(machine.load16(queue.driverArea + 2)) + size + 1)
    case .indirectTableAddress: return flip(queue.descriptorTable, 8, machine, to: outside)
    case .indirectTableLength: return flip(queue.descriptorTable + 8, 4, machine, to: 24)
    case .indirectEntryAddress: return flip(entry, 8, machine, to: outside)
    case .indirectEntryFlags: return flip(entry + 12, 2, machine, to: indirect | UInt64(machine.load16(entry + 12)))
    }
  }

  private func flip<Machine: DriverMachine>(_ address: UInt64, _ width: Int, _ machine: Machine, to bad: UInt64) -> Flip
  {
    let good =
      switch width {
      case 2: UInt64(machine.load16(address))
      case 4: UInt64(machine.load32(address))
      default: UInt64(machine.load32(address)) | UInt64(machine.load32(address + 4)) << 32
      }
    return Flip(address: address, width: width, good: good, bad: bad)
  }
}
