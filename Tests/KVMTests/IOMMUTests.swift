import Apus
import ApusTesting
import GuestSupport
import Testing

@Suite("Case 20: a bare-metal guest with an IOMMU", .requiresKVM, .ownThread)
struct IOMMUTests {
  @Test("what is not mapped is refused and told, from the first access on, and mappings have an end")
  func reach() async throws {
    var configuration = try BareMetalTests.configuration("iommu")
    configuration.memorySize = 320 << 20
    configuration.devices = [.init(.entropy), .init(.iommu)]

    let run = try await GuestRun.boot(configuration, limit: .seconds(240))

    #expect(run.outcome.end == .poweredOff)
    #expect(run.lines.filter { $0.contains("NOT") } == [])
    #expect(run.lines.suffix(2) == ["iommu: 65536 mappings", "iommu: 30 passed, 0 failed"])
    let entropy = try #require(run.report.devices.first)
    #expect(entropy.window == "iommu")
    #expect(entropy.refusedAccesses == 3)
    let iommu = try #require(run.report.devices.last?.iommu)
    #expect(iommu.faults == 7)
    #expect(iommu.lostFaults == 0)
    #expect(iommu.mostMappings == 65536)
    #expect(iommu.mappings == 1)
  }
}
