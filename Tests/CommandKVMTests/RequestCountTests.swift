import Glibc
import GuestSupport
import TestSupport
import Testing

extension CommandKVMTests {
  @Suite("Requests by the thousand")
  struct RequestCountTests {
    /// Each process waits for each of its requests: one whose interrupt is lost is never answered.
    @Test("two processes to each of two disks: every request is answered once, rightly, and with an interrupt")
    func everyRequest() throws {
      // Each process writes and then verifies so many MiB, 4 KiB at a time; both of a disk write the same.
      let size = (Variable.number("APUS_LOAD_REQUESTS", or: 4096) + 2047) / 2048
      let perKind = 2 * 256 * size
      let workspace = try Workspace()
      for name in ["a", "b"] {
        workspace.write("", to: name)
        workspace.resize(name, to: size << 20)
      }
      let command = """
        S() { for d in vda vdb; do echo $1 $(cat /sys/block/$d/stat); done; }; S before; \
        for d in vda vdb vda vdb; do (disk-check write small /dev/$d \(size) 5 && \
        disk-check verify small /dev/$d \(size) 5) & done; wait; S after; grep virtio /proc/interrupts
        """
      let start = ContinuousClock.now
      let process = try CommandProcess([
        "run", "--memory", "128M", "--cpus", "\(Variable.number("APUS_LOAD_CPUS", or: 2))", "--kernel",
        try GuestFile.linux(), "--initrd", try GuestFile.initramfs(), "--append",
        "console=ttyAMA0 quiet initcall_blacklist=trace_eval_init apus_mode=exec apus_exec=\"dmesg -n 1; \(command)\"",
        "--block", "\(workspace.file("a")),queues=4", "--block", "\(workspace.file("b")),queues=4",
        "--report", workspace.file("report"),
      ])

      let end = try process.wait(within: .seconds(180 + 8 * size))

      let report = workspace.text("report")
      let shown = report.split(separator: "\n").filter { $0.contains("\"kicks\"") || $0.contains("\"interrupts\"") }
      print("\(4 * perKind) requests in \(ContinuousClock.now - start)\n", process.outputText, shown)
      // Linux, Documentation/block/stat.rst: reads, merged, sectors, ms; writes, merged, sectors, ms; in flight.
      let before = Self.statistics(process, "before")
      let after = Self.statistics(process, "after")
      #expect(end == .exited(0))
      #expect(process.outputText.ranges(of: "verified ").count == 4)
      try #require(before.count == 2 && after.count == 2 && (before + after).allSatisfy { $0.count > 8 })
      for (before, after) in zip(before, after) {
        let (reads, writes) = (after[0] - before[0], after[4] - before[4])
        #expect(reads == perKind)
        #expect(writes == perKind + 2, "with a flush of each process")
        #expect(after[8] == 0, "nothing is in flight")
      }
      #expect(report.ranges(of: "\"refusedAccesses\" : 0").count == 2)
      #expect(report.ranges(of: "\"faults\" : 0").count == 2)
    }

    /// A disk's numbers on each line with that label.
    private static func statistics(_ process: CommandProcess, _ label: String) -> [[Int]] {
      process.outputText.split(separator: "\n").filter { $0.hasPrefix(label + " ") }.map { line in
        line.split(separator: " ").compactMap { Int($0) }
      }
    }
  }
}
