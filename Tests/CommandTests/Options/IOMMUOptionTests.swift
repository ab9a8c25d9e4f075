import Apus
import TestSupport
import Testing

@testable import ApusCommand

@Suite struct IOMMUOptionTests {
  @Test(arguments: [
    (
      ["--hotplug-memory", "1G", "--iommu"],
      "--hotplug-memory: no device reaches hot-plug memory, and behind an IOMMU a guest lets devices use all that it has; "
        + "leave this out, or --iommu"
    ),
    (
      ["--block", "/dev/null,window=own", "--iommu"],
      "--block window=own: a device behind an IOMMU has no window; leave this out, or --iommu"
    ),
    (["--iommu=yes"], "--iommu"),
  ])
  func aMistakeIsToldWithTheOption(options: [String], message: String) throws {
    let result = try apus(["devicetree"] + options)

    expectRefusal(result, status: 64, message)
  }

  @Test func theDeviceIsTheLastAndThereIsOneHoweverOftenItIsAskedFor() throws {
    let result = try apus(["devicetree", "--iommu", "--entropy", "--network", "passt", "--iommu"])

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output.ranges(of: "#iommu-cells").count == 1)
    #expect(result.output.ranges(of: "iommus = ").count == 2)
    #expect(result.output.contains("virtio2: virtio@a000400"), "\(result.output)")
  }
}
