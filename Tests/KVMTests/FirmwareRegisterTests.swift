import Apus
import ApusTesting
import GuestSupport
import KVM
import Testing

@Suite("Hypercall firmware registers", .requiresKVM, .ownThread)
struct FirmwareRegisterTests {
  /// A bit, a call that a guest makes, and whether all of the call's answer goes or its second bit.
  static let services: [(register: UInt64, bit: Int, call: String)] = [
    (0, 0, "TRNG_VERSION"),
    (1, 0, "SMCCC_ARCH_FEATURES.PV_TIME_FEATURES"),
    (2, 0, "VENDOR_HYP_CALL_UID"),
    (2, 0, "VENDOR_HYP_KVM_FEATURES"),
    (2, 1, "VENDOR_HYP_KVM_PTP"),
  ]

  @Test("a bit that is cleared takes the call away from the guest", arguments: services)
  func clearedBit(register: UInt64, bit: Int, call: String) throws {
    let id = RegisterID.firmware(.bitmap, register)
    let full = try FirmwareMachine()
    let reduced = try FirmwareMachine()
    try #require(reduced.vcpu.register(id) & 1 << UInt64(bit) != 0)
    try reduced.vcpu.setRegister(id, reduced.vcpu.register(id) & ~(1 << UInt64(bit)))

    let before = try #require(full.answers()[Substring(call)])
    let after = try #require(reduced.answers()[Substring(call)])

    #expect(!before.hasPrefix("-1"))
    #expect(after.hasPrefix("-1"))
  }

  @Test("a bit that the host lacks cannot be set", arguments: [0, 1, 2] as [UInt64])
  func unsupportedBit(register: UInt64) throws {
    let machine = try FirmwareMachine()

    let error = #expect(throws: KVMError.self) {
      try machine.vcpu.setRegister(.firmware(.bitmap, register), 1 << 40)
    }

    #expect(error?.errno == 22)
  }

  @Test("after the first run the same value may be written, and another is refused")
  func writeAfterRun() throws {
    let machine = try FirmwareMachine()
    let id = RegisterID.firmware(.bitmap, 0)
    let value = try machine.vcpu.register(id)
    _ = try machine.answers()

    try machine.vcpu.setRegister(id, value)
    let error = #expect(throws: KVMError.self) { try machine.vcpu.setRegister(id, value ^ 1) }

    #expect(error?.errno == 16)
  }

  @Test("a guest of Apus is answered what the table exposes, PSCI 1.1 at most")
  func tableHolds() async throws {
    let run = try await GuestRun.boot(Configuration(kernel: GuestFile.bareMetal("firmware")))

    #expect(run.outcome.end == .poweredOff)
    #expect(run.lines.contains("PSCI_VERSION 0x84000000 = 0x10001"))
    #expect(run.lines.contains { $0.hasPrefix("TRNG_VERSION 0x84000050 = 0x10000") })
    #expect(run.lines.contains { $0.hasPrefix("VENDOR_HYP_KVM_FEATURES 0x86000000 = 0x3 ") })
    #expect(run.lines.contains { $0.hasPrefix("VENDOR_HYP_KVM_DISCOVER_IMPL_VER 0xC6000040 = -1") })
    #expect(run.report.machine?.hiddenFirmwareRegisters == [])
  }
}
