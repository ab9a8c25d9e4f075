import Apus
import ApusTesting
import Testing

@Suite("Guests that go where nothing is", .requiresKVM, .ownThread)
struct GuestFaultTests {
  @Test(
    "an access to an address where nothing is ends the machine and names the address",
    arguments: [
      ("read", "reads 4 bytes at 0xb000000"), ("write", "writes 4 bytes at 0xb000000"),
      ("read address=0xb000102", "reads 4 bytes at 0xb000102"),
      ("load-pair", "accesses 0xb000000"), ("store-pair", "accesses 0xb000000"),
    ],
    GuestFile.BareMetalForm.allCases
  )
  func access(_ access: (arguments: String, reason: String), form: GuestFile.BareMetalForm) async throws {
    let run = try await GuestRun.boot(
      BareMetalTests.configuration("unmapped", form, arguments: access.arguments)
    )

    let fault = try #require(run.fault)
    #expect(fault.reason.hasPrefix(access.reason))
    #expect(fault.cpu == 0)
    #expect(run.report.exitStatus == 82)
    #expect(run.console.hasPrefix("Touching 0xB000"))
    #expect(fault.registers.count == 40)
    let counter = try #require(fault.registers.first { $0.name == "PC" })
    #expect(0x4008_0000..<0x4400_0000 ~= counter.value)
  }

  @Test("a jump behind the end of memory reaches the guest's own vectors, which report it")
  func jumpWithVectors() async throws {
    let run = try await GuestRun.boot(BareMetalTests.configuration("unmapped", arguments: "jump"))

    #expect(run.outcome.end == .panicked)
    #expect(run.console.contains("Touching 0x45000000\nEXCEPTION entry 4 ESR_EL1 0x86"))
    #expect(run.console.contains("FAR_EL1 0x0000000045000000"))
  }

  @Test("a binary of nothing but zeros ends as a guest fault, though it never comes out of KVM")
  func zeros() async throws {
    let run = try await Self.boot(instructions: [UInt32](repeating: 0, count: 1024))

    let fault = try #require(run.fault)
    #expect(fault.reason.contains("executes at 0x200, where there is no memory"))
    #expect(run.report.time.wall < 5_000_000_000)
  }

  @Test("a jump into nothing without vectors ends as a guest fault")
  func jumpWithoutVectors() async throws {
    //   d2a2000a  movz  x10, #0x1000, lsl #16
    //   d61f0140  br    x10
    let run = try await Self.boot(instructions: [0xD2A2_000A, 0xD61F_0140])

    let fault = try #require(run.fault)
    #expect(fault.reason.contains("where there is no memory"))
    #expect(fault.registers.contains { $0.name == "X10" && $0.value == 0x1000_0000 })
  }

  @Test("a vCPU that waits for CPU_ON is no guest that executes where there is no memory")
  func waitingSecondaries() async throws {
    var configuration = try BareMetalTests.configuration("spin", cpus: 4)
    configuration.timeout = .seconds(2)

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .timedOut)
  }

  @Test("a loop at the start of memory without vectors is no fault")
  func busyLoop() async throws {
    //   14000000  b  .
    let run = try await Self.boot(instructions: [0x1400_0000], timeout: .seconds(2))

    #expect(run.outcome.end == .timedOut)
  }

  private static func boot(instructions: [UInt32], timeout: Duration? = nil) async throws -> GuestRun {
    let bytes = instructions.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    return try await TestFile.with(bytes) { path in
      var configuration = Configuration(payload: .raw(path: path))
      configuration.memorySize = 16 << 20
      configuration.timeout = timeout
      return try await GuestRun.boot(configuration)
    }
  }
}
