import GuestABI
import GuestMemory
import SCMI
internal import Synchronization
import Virtio

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

  /// What reads give.
  var contents: [UInt8] {
    get { bytes.withLock { $0 } }
    set {
      bytes.withLock { bytes in
        precondition(newValue.count == bytes.count, "scratch memory keeps its size")
        bytes = newValue
      }
    }
  }
}

/// What is in the scratch memory of a platform's devices, in the order of the platform's definition.
struct ScratchRegistersState: VersionedState, Equatable {
  static let kind = "platform-registers"
  static let version: UInt32 = 1

  var contents: [[UInt8]]
}

/// The interrupt lines of the devices of a platform's tree.
final class PlatformDeviceLines: Sendable {
  /// By consumer, then by line.
  private let lines: Mutex<[[Line]]>

  private struct Line {
    let interrupt: LevelInterrupt
    var level = false
  }

  /// - Parameter places: of the consumers of the platform's tree.
  init(_ places: [PlatformDevicePlace], _ machine: SharedMachine) {
    lines = Mutex(
      places.map { place in
        place.interrupts.map { Line(interrupt: MachineLevelInterrupt(machine, sharedPeripheralInterrupt: $0)) }
      }
    )
  }

  /// An edge is a level that comes and goes.
  func drive(consumer: Int, line: Int, asserted: Bool?) {
    lines.withLock { lines in
      guard lines.indices.contains(consumer), lines[consumer].indices.contains(line) else { return }
      let interrupt = lines[consumer][line].interrupt
      interrupt.set(asserted ?? true)
      if asserted == nil { interrupt.set(false) }
      lines[consumer][line].level = asserted ?? false
    }
  }

  /// Which are asserted: by consumer, then by line.
  var levels: [[Bool]] { lines.withLock { $0.map { $0.map(\.level) } } }

  /// Drives the lines to where others were.
  ///
  /// - Returns: whether there are as many.
  func restore(_ levels: [[Bool]]) -> Bool {
    lines.withLock { lines in
      guard lines.map(\.count) == levels.map(\.count) else { return false }
      for consumer in lines.indices {
        for line in lines[consumer].indices {
          lines[consumer][line].level = levels[consumer][line]
          lines[consumer][line].interrupt.set(levels[consumer][line])
        }
      }
      return true
    }
  }
}

extension Bus {
  /// Puts the scratch memory of the devices in an agent's tree on the bus.
  ///
  /// - Returns: all of it.
  mutating func attach(devicesOf tree: MachineTree.SCMI) -> [ScratchRegisters] {
    var scratch: [ScratchRegisters] = []
    for (consumer, place) in zip(tree.definition.tree.consumers, tree.places) where tree.hasDevice(consumer) {
      for (registers, range) in zip(consumer.registers, place.registers) {
        let device = ScratchRegisters(registers)
        attach(device, at: range)
        scratch.append(device)
      }
    }
    return scratch
  }
}
