import Apus
import ApusTesting
import Host
import Testing

extension CommandKVMTests {
  @Suite("Exit statuses")
  struct ExitStatusTests {
    @Test(
      "each end of a guest has a status of its own",
      arguments: [
        (["hello"], 0), (["reset", "--no-reboot"], 80), (["panic"], 81), (["unmapped"], 82),
        (["spin", "--timeout", "1"], 124), (["spin", "--timeout", "1ms"], 124), (["hello", "--timeout", "1h"], 0),
      ] as [([String], Int32)]
    )
    func guestEnds(arguments: [String], status: Int32) throws {
      let process = try CommandProcess(CommandKVMTests.run(arguments[0]) + arguments.dropFirst())

      #expect(try process.wait() == .exited(status))
      #expect(process.errorText.isEmpty == (status == 0))
    }

    @Test("standard output has the guest's console and nothing else, standard error is empty")
    func streams() throws {
      let process = try CommandProcess(CommandKVMTests.run("hello"))

      #expect(try process.wait() == .exited(0))
      #expect(process.outputText == "Hello from bare metal\n")
      #expect(process.errorText == "")
    }

    @Test("a guest fault is told once, with its address and the registers, on standard error")
    func guestFault() throws {
      let process = try CommandProcess(CommandKVMTests.run("unmapped", "--append", "write"))

      #expect(try process.wait() == .exited(82))
      #expect(process.errorText.hasPrefix("apus: vCPU 0 writes 4 bytes at 0xb000000, where "))
      #expect(process.errorText.ranges(of: "0xb000000").count == 1)
      for name in ["PC", "ESR", "FAR", "X0", "X30"] { #expect(process.errorText.contains(" \(name) "), "\(name)") }
    }

    @Test("with --unmapped zero the first access to nothing is told, and the guest goes on")
    func unmappedZero() throws {
      let process = try CommandProcess(CommandKVMTests.run("unmapped", "--unmapped", "zero"))

      #expect(try process.wait() == .exited(0))
      #expect(process.outputText.hasSuffix("Nothing happened\n"))
      #expect(process.errorText.ranges(of: "vCPU 0 reads 4 bytes at 0xb000000").count == 1)
      #expect(process.errorText.contains("such reads give 0"))
    }

    @Test("an unusable KVM is a host failure with advice", arguments: ["/dev/null", "/dev/no-kvm", "/tmp"])
    func noKVM(path: String) throws {
      let process = try CommandProcess(CommandKVMTests.run("hello", "--kvm", path))

      #expect(try process.wait() == .exited(71))
      #expect(process.errorText.contains(path))
      #expect(process.outputText == "")
    }

    @Test("a GIC that the host lacks is a host failure that names the one it has")
    func missingGIC() throws {
      let missing = KVMHost.interruptControllers.contains(.v3) ? "2" : "3"
      let process = try CommandProcess(CommandKVMTests.run("hello", "--gic", missing))

      #expect(try process.wait() == .exited(71))
      #expect(process.errorText.contains("no GICv\(missing)"))
    }

    @Test(
      "an output file that cannot be written is found before the guest starts",
      arguments: [
        ["--report", "/no/such/folder/report.json"], ["--dump-dtb", "/no/such/folder/machine.dtb"],
        ["--console", "file=/no/such/folder/console"], ["--console", "pty=/no/such/folder/console"],
      ]
    )
    func unwritable(arguments: [String]) throws {
      let process = try CommandProcess(CommandKVMTests.run("hello") + arguments)

      #expect(try process.wait() == .exited(73))
      #expect(process.outputText == "")
      #expect(process.errorText.contains("/no/such/folder/"))
    }

    @Test("bad usage, unusable and missing files have theirs")
    func badInput() throws {
      let workspace = try Workspace()
      workspace.write("no kernel, but long enough for one's header: " + String(repeating: "x", count: 200), to: "text")
      let usage = try CommandProcess(CommandKVMTests.run("hello", "--cpus", "0"))
      let kernel = try CommandProcess(["run", "--kernel", workspace.file("text")])
      let missing = try CommandProcess(["run", "--kernel", "/no/such/kernel"])

      #expect(try usage.wait() == .exited(64))
      #expect(try kernel.wait() == .exited(65))
      #expect(try missing.wait() == .exited(66))
    }

    @Test("apus doctor finds that machines can run here")
    func doctor() throws {
      let process = try CommandProcess(["doctor"])
      let json = try CommandProcess(["doctor", "--json"])

      #expect(try process.wait() == .exited(0))
      #expect(process.outputText.contains("Machines can run here."))
      #expect(!process.outputText.contains("missing:"))
      #expect(try json.wait() == .exited(0))
      #expect(json.outputText.hasPrefix("{"))
    }
  }
}
