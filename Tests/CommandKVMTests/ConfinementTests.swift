import Glibc
import GuestSupport
import TestSupport
import Testing

extension CommandKVMTests {
  @Suite("What the process maps")
  struct ConfinementTests {
    @Test("each window is a memfd of its own and the RAM is anonymous memory apart from it")
    func windowsApartFromRAM() throws {
      let process = try CommandProcess(
        CommandKVMTests.run("spin", "--dma", "4M", "--entropy", "--network", "tap=aputest1,window=net")
      )
      try process.expect("Waiting\n")

      let lines = HostFiles.text("/proc/\(process.processID)/maps").split(separator: "\n")

      // "START-END PERMISSIONS OFFSET DEVICE INODE NAME…"
      let mappings = lines.map { $0.split(separator: " ") }
      let shared = mappings.filter { $0[1].hasSuffix("s") && $0.count > 5 && $0[5].hasPrefix("/") }
      let sizes = shared.map { Self.size($0[0]) }
      let memory = mappings.filter { $0.count == 5 && Self.size($0[0]) >= 32 << 20 && $0[1] == "rw-p" }
      #expect(sizes == [4 << 20, 4 << 20])
      #expect(shared.allSatisfy { $0[5].hasPrefix("/memfd:") })
      #expect(Set(shared.map { $0[4] }).count == 2)
      #expect(memory.count == 1)
    }

    @Test("RAM is in huge pages unless small ones are asked for", arguments: ["", ",hugepages", ",smallpages"])
    func hugePages(pages: String) throws {
      let workspace = try Workspace()
      let process = try CommandProcess([
        "run", "--kernel", try GuestFile.bareMetal("spin"), "--memory", "32M" + pages, "--report",
        workspace.file("report"),
      ])
      try process.expect("Waiting\n")

      let lines = HostFiles.text("/proc/\(process.processID)/smaps").split(separator: "\n")
      process.signal(SIGTERM)

      // Not reserved and huge: the C library asks for huge pages for its own memory, too, which is reserved.
      let ram = lines.firstIndex { line in
        let flags = line.split(separator: " ")
        return flags.first == "VmFlags:" && flags.contains("nr") && flags.contains("hg")
      }
      let size = ram.flatMap { lines[..<$0].last { $0.hasPrefix("AnonHugePages:") } }
        .flatMap { Int($0.split(separator: " ")[1]) }
      let isHuge = pages != ",smallpages"
      #expect((size ?? 0) >= 2048 ? isHuge : !isHuge)
      #expect(try process.wait() == .exited(143))
      #expect(workspace.text("report").contains("\"hugePages\" : \(isHuge)"))
    }

    private static func size(_ range: Substring) -> UInt64 {
      let ends = range.split(separator: "-").compactMap { UInt64($0, radix: 16) }
      return ends.count == 2 ? ends[1] - ends[0] : 0
    }
  }
}
