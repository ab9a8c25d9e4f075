import DeviceTree
import GuestABI
import SCMI
import SCMIFile
import Testing

/// A platform's nodes in another monitor's tree.
@Suite struct SCMIMergingTests {
  private func platform() throws -> SharedPlatform {
    let definition = PlatformDefinition { platform in
      platform.clocks = [ClockDefinition("rtc") { $0.rates = .list([1, 2]) }]
      platform.performanceDomains = [
        PerformanceDomainDefinition("cpu") { domain in
          domain.operatingPoints = [OperatingPoint(level: 1, power: 1, latency: 1, frequency: 1)]
        }
      ]
      platform.agents = [AgentDefinition("guest")]
      platform.tree.cpus = ["cpu"]
      platform.tree.consumers = [ConsumerDefinition("rtc", .clock, [ResourceName(.clock, "rtc")]) { _ in }]
    }
    return SharedPlatform(try SCMIPlatform(definition)) { 0 }
  }

  /// Such as QEMU's.
  private func tree(phandle: UInt32 = 0x8000, cells: UInt32 = 2, hasFirmware: Bool = false) throws -> [UInt8] {
    var tree = DeviceTreeWriter(reservations: [(0x4000_0000, 0x1000)])
    tree.node("") { root in
      root.property("#address-cells", cells: [cells])
      root.property("#size-cells", cells: [2])
      root.property("model", "other")
      root.node("cpus") { cpus in
        cpus.property("#address-cells", cells: [1])
        for index in 0..<2 as Range<UInt32> {
          cpus.node("cpu@\(index)") { cpu in
            cpu.property("device_type", "cpu")
            cpu.property("reg", cells: [index])
          }
        }
        cpus.node("cpu-map") { _ in }
      }
      root.node("apb-pclk", phandle: phandle) { $0.property("#clock-cells", cells: [0]) }
      root.node("pl031@9010000") { rtc in
        rtc.property("compatible", strings: ["arm,pl031", "arm,primecell"])
        rtc.property("clocks", cells: [phandle])
        rtc.property("clock-names", "apb_pclk")
      }
      if hasFirmware { root.node("firmware") { firmware in firmware.node("optee") { $0.property("method", "smc") } } }
    }
    return try tree.finish()
  }

  private func merged(_ tree: [UInt8]) throws -> DeviceTreeContent {
    try DeviceTreeContent(try MachineTree.SCMI.merged(into: tree, try platform(), agent: 0))
  }

  @Test func whatWasThereStaysAndThePlatformIsAdded() throws {
    let content = try merged(try tree(hasFirmware: true))

    #expect(content.reservations.map(\.address) == [0x4000_0000])
    #expect(content.reservations.map(\.size) == [0x1000])
    #expect(content.root[property: "model"]?.strings == ["other"])
    let firmware = try #require(content.root[child: "firmware"])
    #expect(firmware[child: "optee"]?[property: "method"]?.strings == ["smc"])
    let clock = try #require(firmware[child: "scmi"]?[child: "protocol@14"]?[property: "phandle"]?.cell)
    let rtc = try #require(content.root[child: "pl031@9010000"])
    #expect(rtc.properties.filter { $0.name == "clocks" }.map(\.bytes) == [cells(clock, 0)])
    #expect(rtc[property: "clock-names"]?.strings == ["apb_pclk"])
  }

  private func cells(_ numbers: UInt32...) -> [UInt8] {
    numbers.flatMap { number in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }
  }

  @Test func eachCPUGetsItsDomainAndNothingElseDoes() throws {
    let content = try merged(try tree())

    let cpus = try #require(content.root[child: "cpus"])
    let domain = try #require(
      content.root[child: "firmware"]?[child: "scmi"]?[child: "protocol@13"]?[property: "phandle"]?.cell
    )
    #expect(cpus.children.map(\.name) == ["cpu@0", "cpu@1", "cpu-map"])
    let domains = cpus.children.map { $0[property: "power-domains"]?.bytes }
    #expect(domains == [cells(domain, 0), cells(domain, 0), nil])
  }

  @Test(arguments: [0x114, 0x8000, 0x10_0000, 0x7FFF_FFFF] as [UInt32])
  func noPhandleIsThereTwice(taken: UInt32) throws {
    let handles = try merged(try tree(phandle: taken)).root.phandles

    #expect(handles.contains(taken))
    #expect(Set(handles).count == handles.count)
  }

  @Test func treesThatCannotTakeItAreRefused() throws {
    let platform = try platform()
    let first = try MachineTree.SCMI.merged(into: try tree(), platform, agent: 0)
    #expect(throws: SCMIMergeError.hasPlatform) { try MachineTree.SCMI.merged(into: first, platform, agent: 0) }
    #expect(throws: SCMIMergeError.otherCells) {
      try MachineTree.SCMI.merged(into: try tree(cells: 1), platform, agent: 0)
    }
    #expect(throws: SCMIMergeError.self) {
      try MachineTree.SCMI.merged(into: Array(first.dropLast(100)), platform, agent: 0)
    }
  }
}
