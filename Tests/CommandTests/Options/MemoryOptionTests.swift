import Apus
import TestSupport
import Testing

@testable import ApusCommand

@Suite struct MemoryOptionTests {
  private typealias Memory = Configuration.Device.Memory

  @Test func aRegionWithEverythingIsReadWhole() throws {
    let device = try Configuration.Device.memory("4G,initial=512M,block=4MiB,name=far,window=own")

    var memory = Memory(size: 4 << 30)
    memory.initialSize = 512 << 20
    memory.blockSize = 4 << 20
    memory.name = "far"
    #expect(device.kind == .memory(memory))
    #expect(device.window == "own")
  }

  @Test func aSizeAloneIsARegionOfWhichTheGuestHasNothing() throws {
    #expect(try Configuration.Device.memory("1024").kind == .memory(Memory(size: 1 << 30)))
  }

  @Test(
    arguments: [
      ("", "the size of the region comes first: give a whole number with K, M, G or T"),
      ("-4G", "the size of the region comes first"), ("name=a", "the size of the region comes first"),
      ("4G,initial=-1M", "initial=-1M: give a whole number"), ("4G,block=2X", "block=2X: give a whole number"),
      ("4G,initial", "initial needs a value"), ("4G,name=a,name=b", "name is there twice; give it once"),
      ("4G,size=1G", "'size' is no setting here; there are initial=SIZE, block=SIZE, name=NAME, window=NAME"),
    ]
  )
  func aTextThatIsNoRegionSaysWhatWouldBe(text: String, message: String) {
    let error = #expect(throws: DeviceTextError.self) { _ = try Configuration.Device.memory(text) }

    #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
  }

  @Test(
    arguments: [
      (["--hotplug-memory", "100M"], "--hotplug-memory 100M: a region is a multiple of 128 MiB up to 4T"),
      (["--hotplug-memory", "0"], "--hotplug-memory 0: a region is a multiple of 128 MiB up to 4T, not 0 bytes"),
      (["--hotplug-memory", "1G,block=0"], "--hotplug-memory block=0: a block is a power of two of 2 MiB at least"),
      (["--hotplug-memory", "-4G"], "the size of the region comes first"),
      (["--hotplug-memory", "1G,block=1M"], "--hotplug-memory block=1M: a block is a power of two of 2 MiB at least"),
      (["--hotplug-memory", "1G,initial=2G"], "--hotplug-memory initial=2G: the guest cannot have 2147483648 bytes"),
      (
        ["--hotplug-memory", "1G,initial=1M"],
        "--hotplug-memory initial=1M: 1048576 bytes are no whole number of blocks"
      ),
      (["--hotplug-memory", "1G,name=A"], "--hotplug-memory name=A: a region's name has 1 to 32 of a-z, 0-9 and '-'"),
      (
        ["--hotplug-memory", "1G", "--hotplug-memory", "2G"],
        "--hotplug-memory: the name 'hotplug' is another region's, too; give each one its own"
      ),
      (["--hotplug-memory", "1G", "--dma", "open"], "with --dma open a guest lets devices use all that it has"),
      (["--memory-limit", "511M"], "--memory-limit: 535822336 bytes are less than the 536870912"),
      (["--memory-limit", "-1"], "give a whole number with K, M, G or T"),
    ]
  )
  func aMistakeIsToldWithTheOption(options: [String], message: String) throws {
    let result = try apus(["devicetree"] + options)

    expectRefusal(result, status: 64, message)
  }

  @Test(arguments: [9, 33, 64])
  func tooManyRegionsAreToldByTheirOwnLimit(count: Int) throws {
    let regions = (0..<count).flatMap { ["--hotplug-memory", "128M,name=r\($0)"] }

    let result = try apus(["devicetree"] + regions)

    expectRefusal(result, status: 64, "--hotplug-memory: a machine has at most 8 regions, not \(count)")
    #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
  }

  @Test func tooManyDevicesOfKindsWithoutALimitOfTheirOwnAreToldByTheMachines() throws {
    let disks = (0..<30).flatMap { ["--block", "/no/disk\($0)"] }
    let regions = (0..<8).flatMap { ["--hotplug-memory", "128M,name=r\($0)"] }

    let result = try apus(["devicetree"] + disks + regions)

    expectRefusal(result, status: 64, "38 devices are too many: a machine has at most 32")
  }

  @Test func theDeviceTreeHasTheDeviceAndNoMemoryOfTheRegion() throws {
    let result = try apus(["devicetree", "--hotplug-memory", "4G,initial=512M"])

    #expect(result.status == 0)
    #expect(result.output.contains("virtio@a000000"))
    #expect(result.output.ranges(of: "device_type = \"memory\"").count == 1)
    #expect(!result.output.contains("memory@80000000"))
  }
}
