import KVM
import TestSupport
import Testing

@testable import CPUModel

/// A host as Linux 6.12 is: everything that the table knows but the newest register.
private let host: [RegisterID: UInt64] = [
  FirmwareRegisters.psciVersion: 0x1_0001,
  .firmware(.level, 1): 1,
  .firmware(.level, 2): 2,
  .firmware(.level, 3): 1,
  .firmware(.bitmap, 0): 1,
  .firmware(.bitmap, 1): 1,
  .firmware(.bitmap, 2): 3,
]

extension FirmwareRegisters {
  fileprivate static func plan(host: [RegisterID: UInt64], table: [Bitmap] = bitmaps) throws(Refusal) -> Plan {
    try plan(host: host.map { HostRegister(id: $0.key, value: $0.value) }, table: table)
  }
}

extension FirmwareRegisters.Plan {
  /// What is written to a register, or nil where nothing is.
  fileprivate func value(_ id: RegisterID) -> UInt64? { writes.last { $0.id == id }?.value }
}

@Suite struct FirmwareRegistersTests {
  @Test func idsAreTheKernels() {
    #expect(FirmwareRegisters.psciVersion.rawValue == 0x6030_0000_0014_0000)
    #expect(
      FirmwareRegisters.bitmaps.map(\.id.rawValue) == [
        0x6030_0000_0016_0000, 0x6030_0000_0016_0001, 0x6030_0000_0016_0002, 0x6030_0000_0016_0003,
      ]
    )
    #expect(RegisterID(rawValue: 0x6030_0000_0016_00FF).firmware?.kind == .bitmap)
    #expect(RegisterID(rawValue: 0x6030_0000_0016_00FF).firmware?.index == 0xFF)
    #expect(RegisterID.programCounter.firmware == nil)
  }

  @Test func aHostThatTheTableKnowsGivesAllOfItAndNothingUnknown() throws {
    let plan = try FirmwareRegisters.plan(host: host)

    #expect(plan.value(.firmware(.bitmap, 0)) == 1)
    #expect(plan.value(.firmware(.bitmap, 1)) == 1)
    #expect(plan.value(.firmware(.bitmap, 2)) == 3)
    #expect(plan.value(.firmware(.bitmap, 3)) == nil)
    #expect(plan.unknown.isEmpty)
  }

  @Test func aBitThatTheHostLacksIsNotWritten() throws {
    var host = host
    host[.firmware(.bitmap, 2)] = 2

    let plan = try FirmwareRegisters.plan(host: host)

    #expect(plan.value(.firmware(.bitmap, 2)) == 2)
  }

  @Test func bitsThatTheTableDoesNotKnowAreHidden() throws {
    let newer = host.mapValues { _ in UInt64.max }

    let plan = try FirmwareRegisters.plan(host: newer)

    #expect(plan.value(.firmware(.bitmap, 0)) == 1)
    #expect(plan.value(.firmware(.bitmap, 1)) == 1)
    #expect(plan.value(.firmware(.bitmap, 2)) == 3)
  }

  @Test func theImplementationDiscoveryIsKnownAndHidden() throws {
    var host = host
    host[.firmware(.bitmap, 3)] = 3

    let plan = try FirmwareRegisters.plan(host: host)

    #expect(plan.value(.firmware(.bitmap, 3)) == 0)
    #expect(plan.unknown.isEmpty)
  }

  @Test func aRegisterThatTheTableDoesNotKnowIsWrittenZeroAndReported() throws {
    let unknown = RegisterID(rawValue: 0x6030_0000_0016_00FF)
    var host = host
    host[unknown] = 0xFF

    let plan = try FirmwareRegisters.plan(host: host)

    #expect(plan.value(unknown) == 0)
    #expect(plan.unknown == [unknown])
  }

  @Test func workaroundLevelsStayTheHosts() throws {
    let plan = try FirmwareRegisters.plan(host: host)

    for (id, _) in FirmwareRegisters.levels { #expect(plan.value(id) == nil) }
  }

  @Test(
    arguments: [(0x1_0000, nil), (0x1_0001, nil), (0x1_0002, 0x1_0001), (0x1_0003, 0x1_0001)] as [(UInt64, UInt64?)]
  )
  func psciIsAtMostTheNewestVersionThatTheTableKnows(offered: UInt64, written: UInt64?) throws {
    var host = host
    host[FirmwareRegisters.psciVersion] = offered

    let plan = try FirmwareRegisters.plan(host: host)

    #expect(plan.value(FirmwareRegisters.psciVersion) == written)
  }

  @Test(arguments: [nil, 1, 2] as [UInt64?])
  func aHostWithoutPSCI1IsRefusedByName(offered: UInt64?) {
    var host = host
    host[FirmwareRegisters.psciVersion] = offered

    #expect(throws: FirmwareRegisters.Refusal(missing: "PSCI 1.0")) { try FirmwareRegisters.plan(host: host) }
  }

  @Test(arguments: [0b00, 0b01] as [UInt64])
  func aRequiredBitThatTheHostLacksIsRefusedByName(offered: UInt64) {
    let table = [
      FirmwareRegisters.Bitmap(
        index: 7,
        name: "KVM_REG_ARM_TEST_BMAP",
        services: [.init(0, "OPTIONAL"), .init(1, "NEEDED", required: true)]
      )
    ]
    var host = host
    host[.firmware(.bitmap, 7)] = offered

    let refusal = #expect(throws: FirmwareRegisters.Refusal.self) {
      try FirmwareRegisters.plan(host: host, table: table)
    }

    #expect(refusal?.missing == "KVM_REG_ARM_TEST_BMAP bit 1 (NEEDED)")
    #expect(refusal?.description.contains("KVM_REG_ARM_TEST_BMAP bit 1 (NEEDED)") == true)
    #expect(refusal?.description.contains("use a newer kernel") == true)
  }

  @Test func aRequiredBitOfARegisterThatTheHostLacksIsRefusedByName() {
    let table = [
      FirmwareRegisters.Bitmap(index: 7, name: "REGISTER", services: [.init(0, "BIT", required: true)])
    ]

    #expect(throws: FirmwareRegisters.Refusal(missing: "REGISTER bit 0 (BIT)")) {
      try FirmwareRegisters.plan(host: host, table: table)
    }
  }

  @Test func nothingIsEverExposedBeyondTableAndHost() throws {
    var random = SplitMix64(seed: 1)
    for _ in 0..<1000 {
      var host = host
      for index in UInt64(0)..<8 where Bool.random(using: &random) { host[.firmware(.bitmap, index)] = random.next() }

      let plan = try FirmwareRegisters.plan(host: host)

      for (id, offered) in host where id.firmware?.kind == .bitmap {
        let allowed = FirmwareRegisters.bitmaps.first { $0.id == id }?.value(host: offered) ?? 0
        #expect(plan.value(id) == allowed)
        #expect(allowed & ~offered == 0)
      }
    }
  }
}
