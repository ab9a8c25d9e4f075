import GuestMemory
import SCMI
internal import Synchronization

/// Where a consumer of a platform's tree stands in the machine: the same for every agent, whatever it sees.
struct PlatformDevicePlace: Equatable, Sendable {
  /// Its ranges of scratch memory.
  var registers: [GuestRange] = []
  /// Its lines: shared peripheral interrupts, counted from 0.
  var interrupts: [UInt32] = []

  /// The addresses of a bus, by its place among all consumers: nothing is there.
  static func bus(_ index: Int) -> GuestRange {
    GuestRange(at: MemoryMap.platformBus.start.rawValue + 0x1000 * UInt64(index), size: 0x1000)
  }

  /// One for each consumer, in order.
  static func all(of tree: TreeDefinition) -> [PlatformDevicePlace] {
    // Behind the addresses of the buses, of which there are 4,096 at most.
    var address = MemoryMap.platformBus.start.rawValue + MemoryMap.platformBus.size - RegisterDefinition.room
    var interrupt = MemoryMap.SharedInterrupt.platformBus
    return tree.consumers.map { consumer in
      var place = PlatformDevicePlace()
      for registers in consumer.registers {
        place.registers.append(GuestRange(at: address, size: UInt64(registers.size)))
        address += registers.span
      }
      for _ in consumer.interrupts {
        place.interrupts.append(interrupt)
        interrupt += 1
      }
      return place
    }
  }
}

/// A range of scratch memory on the bus: reads give what was written last.
final class ScratchRegisters: BusDevice, @unchecked Sendable {
  // SAFETY: @unchecked: all that changes is behind the mutex.

  private let bytes: Mutex<[UInt8]>

  init(_ definition: RegisterDefinition) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(definition.size))
    for word in definition.words {
      for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
    bytes += repeatElement(0, count: Int(definition.size) - bytes.count)
    self.bytes = Mutex(bytes)
  }

  override func read(at offset: UInt64, width: Int) -> UInt64 {
    bytes.withLock { bytes in
      var value: UInt64 = 0
      for index in 0..<width { value |= UInt64(bytes[Int(offset) + index]) << (8 * UInt64(index)) }
      return value
    }
  }

  override func write(_ value: UInt64, at offset: UInt64, width: Int) {
    bytes.withLock { bytes in
      for index in 0..<width { bytes[Int(offset) + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
    }
  }
}

/// The interrupt lines of the devices of a platform's tree.
final class PlatformDeviceLines: Sendable {
  /// By consumer, then by line.
  private let lines: Mutex<[[LevelInterrupt]]>

  /// - Parameter places: of the consumers of the platform's tree.
  init(_ places: [PlatformDevicePlace], _ machine: SharedMachine) {
    lines = Mutex(
      places.map { place in
        place.interrupts.map { MachineLevelInterrupt(machine, sharedPeripheralInterrupt: $0) }
      }
    )
  }

  /// An edge is a level that comes and goes.
  func drive(consumer: Int, line: Int, asserted: Bool?) {
    lines.withLock { lines in
      guard lines.indices.contains(consumer), lines[consumer].indices.contains(line) else { return }
      let interrupt = lines[consumer][line]
      interrupt.set(asserted ?? true)
      if asserted == nil { interrupt.set(false) }
    }
  }
}

extension Bus {
  /// Puts the scratch memory of the devices in an agent's tree on the bus.
  mutating func attach(devicesOf tree: MachineTree.SCMI) {
    for (consumer, place) in zip(tree.definition.tree.consumers, tree.places) where tree.hasDevice(consumer) {
      for (registers, range) in zip(consumer.registers, place.registers) {
        attach(ScratchRegisters(registers), at: range)
      }
    }
  }
}
