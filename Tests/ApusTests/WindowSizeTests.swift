import GuestABI
import Testing
import VirtioDevices

@testable import Apus

@Suite struct WindowSizeTests {
  private func machine(_ devices: [Configuration.Device]) -> Configuration {
    var configuration = Configuration(kernel: "Image")
    configuration.devices = devices
    return configuration
  }

  private func disk(queues: Int = 1, window: String = "default") -> Configuration.Device {
    var block = Configuration.Device.Block(path: "disk")
    block.queueCount = queues
    var device = Configuration.Device(.block(block))
    device.window = window
    return device
  }

  @Test func withoutDevicesThereIsNoWindow() {
    #expect(machine([]).windowSizes.isEmpty)
  }

  @Test func consoleAndEntropyShareTheSmallestWindow() {
    let configuration = machine([.init(.entropy), .init(.console(.init(carriesConsole: true, ports: [])))])

    #expect(configuration.windowSizes == [2 << 20])
  }

  @Test func aWindowHasRoomForEachDeviceInIt() {
    let card = Configuration.Device(.network(.init(.passt(forwards: []))))
    let port = Configuration.Port("log", .file(path: "log"))
    let console = Configuration.Device(.console(.init(carriesConsole: false, ports: [port])))

    #expect(machine([disk(), .init(.entropy), card, console]).windowSizes == [16 << 20])
    #expect(machine([disk()]).windowSizes == [10 << 20])
    #expect(machine([disk(queues: 4), card]).windowSizes == [40 << 20])
  }

  @Test func eachWindowIsAsLargeAsItsOwnDevicesNeedIt() {
    let configuration = machine([disk(window: "a"), .init(.entropy), disk(queues: 2, window: "a")])

    #expect(configuration.windowNames == ["a", "default"])
    #expect(configuration.windowSizes == [26 << 20, 2 << 20])
  }

  @Test func behindAnIOMMUOnlyTheIOMMUHasAWindow() {
    var configuration = machine([disk(queues: 16), .init(.iommu), .init(.entropy)])

    #expect(configuration.windowNames == ["default"])
    #expect(configuration.windowSizes == [2 << 20])
    #expect(configuration.reachName == "iommu")
    configuration.devices[1].window = "own"
    #expect(configuration.windowNames == ["own"])
    configuration.dma = .open
    #expect(configuration.windowNames == [])
    #expect(configuration.reachName == "iommu")
  }

  @Test func noWindowIsLargerThanLinuxCanManage() {
    let configuration = machine((0..<31).map { _ in disk(queues: 16) })

    #expect(configuration.windowSizes == [Configuration.windowLimit])
    #expect(Configuration.windowLimit % MemoryMap.windowGranule == 0)
  }

  @Test func aSizeThatIsGivenHoldsForEachWindow() {
    var configuration = machine([disk(window: "a"), .init(.entropy)])
    configuration.dma = .confined(windowSize: 64 << 20)

    #expect(configuration.windowSizes == [64 << 20, 64 << 20])
  }

  @Test func openDMAHasNoWindows() {
    var configuration = machine([disk()])
    configuration.dma = .open

    #expect(configuration.windowSizes.isEmpty)
  }

  @Test func aQueueOfADiskFillsNoMoreThanItsShare() {
    let share = UInt64(QueueSize.block) * UInt64(BlockSegment.maximum)

    #expect(disk().kind.value.windowNeed >= share && disk().kind.value.windowNeed < share + share / 100)
  }
}
