import TestSupport
import Testing

/// Whether this machine has an x86 KVM that this user may open.
private let hasX86KVM: Bool = {
  #if arch(x86_64)
    (try? apus(["doctor"]).output.contains("runs x86 guests")) == true
  #else
    false
  #endif
}()

@Suite struct HostTests {
  /// Runs with a KVM.
  private func run(kvm: String, user: UInt32 = 0) throws -> ProgramResult {
    let kernel = try TemporaryFile(linuxImage())
    try kernel.folder.openToAll()
    return try apus(
      ["run", "--kernel", kernel.path, "--report", kernel.folder.path("report"), "--kvm", kvm, "--timeout", "30"],
      user: user
    )
  }

  @Test func aMachineWithoutKVMIsToldWhatToDo() throws {
    expectRefusal(
      try run(kvm: "/nonexistent/kvm"),
      status: 71,
      "/nonexistent/kvm does not exist",
      "Guests/EmulatedHost"
    )
  }

  @Test(.enabled(if: nobodyCanRun, "the build folder is closed to other users"))
  func aKVMThatTheUserMayNotOpenIsToldWithWhatToDo() throws {
    let kvm = try TemporaryFile([])
    try kvm.folder.write("input", [], permissions: 0)

    expectRefusal(
      try run(kvm: kvm.path, user: nobody),
      status: 71,
      "no permission to open \(kvm.path)",
      "usermod -aG kvm"
    )
  }

  @Test func aDeviceThatIsNotKVMIsToldSo() throws {
    expectRefusal(try run(kvm: "/dev/null"), status: 71, "cannot open /dev/null", "check that it is KVM's device")
  }

  @Test(.enabled(if: hasX86KVM, "this machine has no x86 KVM"))
  func anX86KVMIsToldApart() throws {
    expectRefusal(try run(kvm: "/dev/kvm"), status: 71, "runs x86 guests", "use an arm64 machine or the emulated host")
  }

  @Test func aRunThatTheHostRefusesStillLeavesItsReport() throws {
    let kernel = try TemporaryFile(linuxImage())
    let report = kernel.folder.path("report")

    let result = try apus(["run", "--kernel", kernel.path, "--report", report, "--kvm", "/nonexistent/kvm"])

    let text = try #require(readText(report))
    #expect(result.status == 71)
    #expect(jsonObject(text)?["outcome"] == .text("host-failure"))
    #expect(jsonObject(text)?["exitStatus"] == .number(71))
    #expect(jsonObject(text)?["boots"] == .number(0))
    #expect(jsonObject(text)?["machine"] == nil)
    #expect(try kernel.folder.names == ["input", "report"])
  }

  @Test func aReportThatCannotBeWrittenInTheEndIsToldSo() throws {
    let kernel = try TemporaryFile(linuxImage())

    let result = try apus(["run", "--kernel", kernel.path, "--report", "/dev/full", "--kvm", "/nonexistent/kvm"])

    expectRefusal(result, status: 73, "cannot write '/dev/full': No space left on device")
  }

  @Test func doctorSaysWhatIsMissingAndWhatToDo() throws {
    let result = try apus(["doctor", "--kvm", "/nonexistent/kvm"])

    #expect(result.status == 71)
    #expect(result.output.contains("missing: KVM: /nonexistent/kvm does not exist"))
    #expect(result.output.contains("make demo"))
    // Programs are looked at all the same: some are of use without KVM.
    #expect(result.output.contains(": passt: ") && result.output.contains(": virtiofsd: "))
    #expect(result.output.hasSuffix("No machine can run here.\n"))
  }

  @Test func doctorSaysItAsJSON() throws {
    let result = try apus(["doctor", "--json", "--kvm", "/nonexistent/kvm"])

    let survey = try #require(jsonObject(result.output))
    #expect(result.status == 71)
    guard case .list(let findings) = survey["findings"], case .object(let finding) = findings.first else {
      Issue.record("no findings in \(result.output)")
      return
    }
    #expect(finding["name"] == .text("KVM"))
    #expect(finding["status"] == .text("missing"))
    #expect(finding["advice"] != nil)
  }
}
