import Apus
import ApusTesting
import GuestSupport
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
    let counter = try #require(fault.registers.first { $0.name == "PC" }?.value)
    #expect(0x4008_0000..<0x4400_0000 ~= counter)
  }

  @Test(
    "with --unmapped zero a guest goes on behind what a device could answer, and nothing else",
    arguments: [("read", true), ("write", true), ("load-pair", false), ("store-pair", false)]
  )
  func unmappedZero(access: String, goesOn: Bool) async throws {
    var configuration = try BareMetalTests.configuration("unmapped", arguments: access)
    configuration.unmapped = .zero

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end.name == (goesOn ? "powered-off" : "guest-fault"))
    #expect(run.console.hasSuffix("Nothing happened\n") == goesOn)
    #expect(run.report.exits.unmappedReads == (access == "read" ? 1 : 0))
    #expect(run.report.exits.unmappedWrites == (access == "write" ? 1 : 0))
  }

  @Test("with --unmapped zero reads give 0 in every width")
  func unmappedZeroReads() async throws {
    //   d2a16001  movz  x1, #0xb00, lsl #16
    //   92800000  movn  x0, #0
    //   f9400020  ldr   x0, [x1]
    //   b5000000  cbnz  x0, .
    //   92800000  movn  x0, #0
    //   39401c20  ldrb  w0, [x1, #7]
    //   b5000000  cbnz  x0, .
    //   52b08000  movz  w0, #0x8400, lsl #16
    //   72800100  movk  w0, #8
    //   d4000002  hvc   #0
    let run = try await Self.boot(
      instructions: [
        0xD2A1_6001, 0x9280_0000, 0xF940_0020, 0xB500_0000, 0x9280_0000, 0x3940_1C20, 0xB500_0000, 0x52B0_8000,
        0x7280_0100, 0xD400_0002,
      ],
      unmapped: .zero
    )

    #expect(run.outcome.end == .poweredOff)
    #expect(run.report.exits.unmappedReads == 2)
    #expect(run.report.exits.mmioReads == 0)
  }

  @Test("registers that the guest never set are shown so, not with what KVM left there")
  func registersThatWereNeverSet() async throws {
    //   d2a16001  movz  x1, #0xb00, lsl #16
    //   b9400020  ldr   w0, [x1]
    let run = try await Self.boot(instructions: [0xD2A1_6001, 0xB940_0020])

    let fault = try #require(run.fault)
    let unset = fault.registers.filter { $0.value == nil }.map(\.name)
    #expect(unset == ["ESR", "FAR", "VBAR"])
    #expect(fault.registers.first { $0.name == "X1" }?.value == 0xB00_0000)
    #expect(fault.registerLines.joined().contains("ESR        (not set)"))
  }

  @Test("a jump behind the end of memory reaches the guest's own vectors, which report it")
  func jumpWithVectors() async throws {
    let run = try await GuestRun.boot(BareMetalTests.configuration("unmapped", arguments: "jump"))

    #expect(run.outcome.end == .panicked)
    // KVM of Linux 6.1 sets the upper half of the syndrome, too, by the sign of the lower one.
    let console = run.console.replacing("0xFFFFFFFF86", with: "0x86")
    #expect(console.contains("Touching 0x45000000\nEXCEPTION entry 4 ESR_EL1 0x86"))
    #expect(run.console.contains("FAR_EL1 0x0000000045000000"))
  }

  /// What guests do before they have vectors, and what is said of it.
  private static let early: [(instructions: [UInt32], reason: String, link: UInt64)] = [
    // A binary of nothing but zeros.
    ([UInt32](repeating: 0, count: 1024), "executes an undefined instruction at 0x40080000", 0x4008_0000),
    //   d2a2000a  movz  x10, #0x1000, lsl #16
    //   d61f0140  br    x10
    ([0xD2A2_000A, 0xD61F_0140], "executes at 0x10000000, where there is no memory", 0x1000_0000),
    //   d503201f  nop
    //   d4200000  brk   #0
    ([0xD503_201F, 0xD420_0000], "executes a breakpoint (BRK) at 0x40080004", 0x4008_0004),
    //   d4000001  svc   #0
    ([0xD400_0001], "calls a supervisor (SVC) before 0x40080004", 0x4008_0004),
    //   9e6703e0  fmov  d0, xzr
    ([0x9E67_03E0], "uses floating-point or SIMD registers at 0x40080000", 0x4008_0000),
    //   d2a8010a  movz  x10, #0x4008, lsl #16
    //   9100094a  add   x10, x10, #2
    //   d61f0140  br    x10
    ([0xD2A8_010A, 0x9100_094A, 0xD61F_0140], "jumps to 0x40080002, which is no multiple of 4", 0x4008_0002),
  ]

  @Test(
    "an exception before a guest has vectors ends it as a guest fault that tells of that exception",
    arguments: early.indices
  )
  func exceptionsWithoutVectors(index: Int) async throws {
    let (instructions, reason, link) = Self.early[index]

    let run = try await Self.boot(instructions: instructions)

    let fault = try #require(run.fault)
    #expect(fault.reason.hasPrefix(reason))
    #expect(fault.reason.hasSuffix(", and has set no exception vectors (VBAR_EL1)"))
    #expect(fault.registers.first { $0.name == "ELR" }?.value == link)
    #expect(fault.registers.contains { $0.name == "VBAR" && $0.value == nil })
  }

  @Test("a guest that sets its vectors to where nothing is ends as a guest fault, though it never comes out of KVM")
  func vectorsInNothing() async throws {
    //   d2a2000a  movz  x10, #0x1000, lsl #16
    //   d518c00a  msr   vbar_el1, x10
    //   00000000  udf   #0
    let run = try await Self.boot(instructions: [0xD2A2_000A, 0xD518_C00A, 0])

    let fault = try #require(run.fault)
    #expect(fault.reason.hasPrefix("takes an exception whose vector at 0x10000200 it cannot fetch"))
    #expect(fault.registers.contains { $0.name == "X10" && $0.value == 0x1000_0000 })
    #expect(fault.registers.contains { $0.name == "VBAR" && $0.value == 0x1000_0000 })
  }

  @Test("what stands in for a guest's vectors can be read and not written")
  func earlyVectorsAreReadOnly() async throws {
    //   d2a1ffe1  movz  x1, #0xfff, lsl #16
    //   f9400020  ldr   x0, [x1]
    //   f9000020  str   x0, [x1]
    let run = try await Self.boot(instructions: [0xD2A1_FFE1, 0xF940_0020, 0xF900_0020])

    let fault = try #require(run.fault)
    #expect(fault.reason.hasPrefix("writes 8 bytes at 0xfff0000"))
    #expect(fault.registers.contains { $0.name == "X0" && $0.value != 0 })
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

  private static func boot(
    instructions: [UInt32],
    unmapped: Configuration.UnmappedPolicy = .fault,
    timeout: Duration? = nil
  ) async throws -> GuestRun {
    let bytes = instructions.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    return try await TestFile.with(bytes) { path in
      var configuration = Configuration(payload: .raw(path: path))
      configuration.memorySize = 16 << 20
      configuration.unmapped = unmapped
      configuration.timeout = timeout
      return try await GuestRun.boot(configuration)
    }
  }
}
