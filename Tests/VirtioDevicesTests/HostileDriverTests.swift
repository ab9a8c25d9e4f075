import SCMI
import SCMIFile
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

/// What a hostile driver does to each of the devices.
@Suite struct HostileDriverTests {
  enum Kind: CaseIterable {
    case block, console, entropy, memory, network, scmi

    private static var platform: PlatformDefinition {
      PlatformDefinition { $0.agents = [AgentDefinition("guest")] }
    }

    /// A device and a queue that it looks at without anything happening on the host.
    func make() throws -> (device: any VirtioDevice, queue: Int) {
      switch self {
      case .block: (BlockDevice(name: "device", backend: MemoryBlock(sectors: 64)), 0)
      case .console:
        (ConsoleDevice(name: "device", ports: [(ConsolePortDescription(isConsole: true), MemoryPort())]), 1)
      case .entropy: (EntropyDevice(name: "device", source: CountingEntropy()), 0)
      case .memory:
        (
          MemoryDevice(
            name: "device",
            backend: MemoryBlocks(),
            region: MemoryDeviceTests.region,
            blockSize: MemoryDeviceTests.block,
            requestedSize: 0
          ), 0
        )
      case .network:
        (NetworkDevice(name: "device", backend: MemoryNetwork(), mac: [2, 0, 0, 0, 0, 1]), 1)
      case .scmi:
        (SCMIEnds(SharedPlatform(try SCMIPlatform(Self.platform)) { 0 }).device, 0)
      }
    }
  }

  @Test(arguments: Kind.allCases, HostileChain.allCases)
  func everyDeviceNeedsAResetAndStartsAgainAfterIt(kind: Kind, hostile: HostileChain) throws {
    let (device, index) = try kind.make()
    var fixture = try DeviceFixture(device, queueSize: 16)
    let features = fixture.driver.offeredFeatures

    hostile.build(on: &fixture.queues[index], buffer: fixture.scratch)
    fixture.driver.notify(index)

    #expect(fixture.driver.status & Status.deviceNeedsReset != 0)
    #expect(fixture.queues[index].usedIndex == 0)
    #expect(fixture.machine.observer.events.map { "\($0.queue ?? -1) \($0.fault)" } == ["\(index) \(hostile.fault)"])
    #expect(fixture.driver.negotiate(features))
    #expect(fixture.driver.enable(fixture.queues[index]))
  }

  @Test(arguments: Kind.allCases)
  func deviceThatFailedTakesNothingFromItsOtherQueues(kind: Kind) throws {
    let (device, index) = try kind.make()
    var fixture = try DeviceFixture(device, queueSize: 16)
    HostileChain.headOutOfRange.build(on: &fixture.queues[index], buffer: fixture.scratch)
    fixture.driver.notify(index)
    let before = fixture.machine.transport.connection.counters

    for queue in fixture.queues.indices where queue != index {
      fixture.request([.init(fixture.scratch, 64, isWritable: true)], to: queue)
    }

    #expect(fixture.queues.allSatisfy { $0.usedIndex == 0 })
    #expect(fixture.machine.transport.connection.counters == before)
  }
}
