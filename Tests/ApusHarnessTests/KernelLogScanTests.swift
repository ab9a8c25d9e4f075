import ApusHarness
import Testing

@Suite struct KernelLogScanTests {
  private func scan(_ text: String) -> KernelLogScan {
    var scan = KernelLogScan()
    scan.read(Array(text.utf8))
    scan.finish()
    return scan
  }

  @Test(arguments: [
    ("Kernel panic - not syncing: Attempted to kill init!", KernelLogFinding.Kind.panic),
    ("Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000", .oops),
    ("Internal error: Oops: 0000000096000004 [#1] SMP", .oops),
    ("kernel BUG at lib/test.c:12!", .oops),
    ("WARNING: CPU: 0 PID: 1 at lib/test.c:3 f+0x0/0x4", .warning),
    ("BUG: scheduling while atomic: swapper/0/1/0x00000002", .bug),
    ("BUG: KASAN: slab-out-of-bounds in f+0x4/0x8", .kasan),
    ("UBSAN: array-index-out-of-bounds in lib/test.c:5:3", .ubsan),
    ("WARNING: possible circular locking dependency detected", .lockdep),
    ("INFO: task sh:12 blocked for more than 120 seconds.", .hungTask),
    ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", .rcuStall),
    ("watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:12]", .lockup),
  ])
  func aComplaintOfTheKernelIsFound(line: String, kind: KernelLogFinding.Kind) {
    #expect(scan("[   12.345678] \(line)\n").findings.map(\.kind) == [kind])
    #expect(scan(line).findings.map(\.kind) == [kind])
    #expect(scan("ok 1 ha[   12.345678][    T1] \(line)\n").findings.map(\.text) == [line])
    #expect(scan("# it prints \(line)\n").findings.isEmpty)
  }

  @Test func anOopsIsOneFindingWithTheLinesBehindIt() {
    let lines = (0..<100).map { "[    1.000000] line \($0)\n" }.joined()

    let found = scan(
      "[    1.000000] Unable to handle kernel paging request\n[    1.000000] Internal error: Oops: 1\n" + lines
    ).findings

    #expect(found.count == 1)
    #expect(found[0].following.count == KernelLogScan.maximumFollowing)
    #expect(found[0].following[0] == "Internal error: Oops: 1")
  }

  @Test func aPanicIsFoundBehindAnyNumberOfOthers() {
    let warnings = String(repeating: "WARNING: CPU: 0 PID: 1 at x\n---[ end trace ]---\n", count: 1000)

    let found = scan(warnings + "Kernel panic - not syncing: x\n")

    #expect(found.hasPanic)
    #expect(found.findings.last?.kind == .panic)
    #expect(found.omitted == 1000 - KernelLogScan.maximumFindings)
  }
}
