import GuestABI
import GuestMemory
import SCMI
internal import Synchronization

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
