package import GuestMemory
package import SCMI

/// Where a consumer of a platform's tree stands in the machine: the same for every agent, whatever it sees.
package struct PlatformDevicePlace: Equatable, Sendable {
  /// Its ranges of scratch memory.
  package var registers: [GuestRange] = []
  /// Its lines: shared peripheral interrupts, counted from 0.
  package var interrupts: [UInt32] = []

  /// The addresses of a bus, by its place among all consumers: nothing is there.
  package static func bus(_ index: Int) -> GuestRange {
    GuestRange(at: MemoryMap.platformBus.start.rawValue + 0x1000 * UInt64(index), size: 0x1000)
  }

  /// One for each consumer, in order.
  package static func all(of tree: TreeDefinition) -> [PlatformDevicePlace] {
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
