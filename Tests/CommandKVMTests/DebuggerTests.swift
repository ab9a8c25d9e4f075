import Debugger
import Glibc
import GuestSupport
import TestLimits
import TestSupport
import Testing

extension CommandKVMTests {
  @Suite("Debuggers")
  struct DebuggerTests {
    /// A guest that counts in X1 and writes the count to the start of RAM, for ever.
    private enum Counter {
      static let instructions: [UInt32] = [
        //   mov  x1, #0
        //   mov  x2, #0x40000000
        //   add  x1, x1, #1
        //   str  x1, [x2]
        //   b    . - 8
        0xD280_0001, 0xD2A8_0002, 0x9100_0421, 0xF900_0041, 0x17FF_FFFE,
      ]
      static let entry: UInt64 = 0x4008_0000
      static let add = entry + 8
      static let store = entry + 12
      static let count: UInt64 = 0x4000_0000
    }

    private static func hexadecimal(_ number: UInt64) -> String { String(number, radix: 16) }

    private let workspace: Workspace
    private var socket: String { workspace.file("gdb") }

    init() throws {
      workspace = try Workspace()
    }

    /// Starts the counter, which waits for a debugger.
    private func start(_ more: String...) throws -> CommandProcess {
      let bytes = Counter.instructions.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
      HostFiles.write(bytes, to: workspace.file("counter.bin"))
      return try CommandProcess(
        [
          "run", "--raw", "--kernel", workspace.file("counter.bin"), "--memory", "32M", "--console", "none", "--gdb",
          "unix=\(socket),wait",
        ] + more
      )
    }

    @Test("a guest that waits is stepped, stopped at breakpoints of both kinds and at what is watched, and interrupted")
    func session() throws {
      let process = try start("--cpus", "2")
      let debugger = try RemoteDebugger(connectingTo: socket)

      _ = try debugger.ask("qSupported:swbreak+;hwbreak+")
      let first = try debugger.ask("?")
      let counter = try debugger.register(.programCounter)
      let code = try debugger.ask("m\(Self.hexadecimal(Counter.entry)),8")
      let mode = HostFiles.mode(of: socket)
      #expect(first.hasPrefix("T02") && counter == Counter.entry)
      #expect(code == "010080d20200a8d2")
      #expect(mode == 0o600)
      #expect(try debugger.ask("qThreadExtraInfo,2") == Self.digits("vCPU 1 (powered off)"))

      let step = try debugger.ask("vCont;s:1")
      #expect(step.hasPrefix("T05"))
      #expect(try debugger.register(.programCounter) == Counter.entry + 4)

      // A replaced instruction is hit before it is executed, and a look at memory doesn't show it.
      let store = Self.hexadecimal(Counter.store)
      #expect(try debugger.ask("Z0,\(store),4") == "OK")
      let software = try debugger.ask("vCont;c")
      #expect(software.contains("swbreak:;") && software.contains("thread:1;"))
      #expect(try debugger.register(.programCounter) == Counter.store)
      #expect(try debugger.register(.general(1)) == 1)
      #expect(try debugger.ask("m\(store),4") == "410000f9")
      #expect(try debugger.ask("z0,\(store),4") == "OK")

      #expect(try debugger.ask("Z1,\(Self.hexadecimal(Counter.add)),4") == "OK")
      let hardware = try debugger.ask("vCont;c")
      #expect(hardware.contains("hwbreak:;"))
      #expect(try debugger.register(.programCounter) == Counter.add)
      #expect(try debugger.ask("z1,\(Self.hexadecimal(Counter.add)),4") == "OK")

      let count = Self.hexadecimal(Counter.count)
      #expect(try debugger.ask("Z2,\(count),8") == "OK")
      let watch = try debugger.ask("vCont;c")
      #expect(watch.contains("watch:\(count);"))
      #expect(try debugger.register(.programCounter) == Counter.store)
      #expect(try debugger.ask("z2,\(count),8") == "OK")

      #expect(try debugger.ask("P1=0000000000100000") == "OK")
      debugger.send(PacketWriter.packet("vCont;c".utf8))
      #expect(debugger.isSilent(for: 100))
      #expect(try debugger.interrupt().hasPrefix("T02"))
      #expect(try debugger.register(.general(1)) > 0x10_0000_0000)

      // The guest's time stands while it is stopped. A step that takes as long as the stop did would hide that.
      let stands = try (0..<5).contains { _ in
        usleep(300_000)
        let before = try debugger.register(.system(.counter))
        _ = try debugger.ask("vCont;s:1")
        return try debugger.register(.system(.counter)) < before
      }
      #expect(stands)

      process.signal(SIGTERM)
      #expect(try process.wait() == .exited(143))
      #expect(HostFiles.mode(of: socket) == nil)
    }

    @Test("registers and memory that are not there are errors, and the processor's breakpoints run out")
    func errors() throws {
      let process = try start()
      let debugger = try RemoteDebugger(connectingTo: socket)

      #expect(try debugger.ask("m0,4") == "E14")
      #expect(try debugger.ask("M0,1:00") == "E14")
      #expect(try debugger.ask("Z0,ffff800000000002,4") == "E22")
      #expect(try debugger.ask("p1000") == "E22")
      #expect(try debugger.ask("m41fffffe,4") == "0000")
      // Without memory a hardware breakpoint stands in, until there are no more; at most sixteen.
      let answers = try (0..<17).map { try debugger.ask("Z0,ffff80000000\(1000 + $0 * 4),4") }
      #expect(answers.first == "OK" && answers.last == "E14")
      // CNTVCT_EL0 is not for writing; SCTLR_EL1 has another value afterwards.
      let control = try debugger.register(.system(.control))
      #expect(control & 1 == 0)

      #expect(try debugger.ask("vKill;1") == "OK")
      #expect(try process.wait() == .exited(0))
      #expect(HostFiles.mode(of: socket) == nil)
    }

    @Test("a debugger that goes while the machine is stopped leaves it running without its breakpoints")
    func disconnect() throws {
      let process = try start()
      let store = Self.hexadecimal(Counter.store)
      do {
        let debugger = try RemoteDebugger(connectingTo: socket)
        #expect(try debugger.ask("Z0,\(store),4") == "OK")
        _ = try debugger.ask("vCont;c")
        #expect(try debugger.register(.general(1)) == 1)
      }

      // Each that comes stops the machine, and leaves it running.
      let limit = TestLimit(.seconds(20))
      var (count, code, left) = (UInt64(1), "", "")
      while count == 1, !limit.hasPassed {
        let second = try RemoteDebugger(connectingTo: socket)
        count = try second.register(.general(1))
        code = try second.ask("m\(store),4")
        left = try second.ask("D")
      }
      let third = try RemoteDebugger(connectingTo: socket)
      third.send(PacketWriter.packet("k".utf8))

      #expect(count > 1 && code == "410000f9" && left == "OK")
      #expect(try process.wait() == .exited(0))
    }

    @Test("breakpoints last over a reboot, and a power-off is told with its exit status")
    func reboot() throws {
      let entry = "40200000"
      let reset = try CommandProcess(CommandKVMTests.run("reset", "--gdb", "unix=\(socket),wait", "--console", "none"))
      let debugger = try RemoteDebugger(connectingTo: socket)
      #expect(try debugger.ask("vCont;s:1").hasPrefix("T05"))
      #expect(try debugger.ask("Z0,\(entry),4") == "OK")
      #expect(try debugger.ask("Z1,40200004,4") == "OK")

      // Stands at the hardware breakpoint, so that it is stepped over first, as gdb does.
      #expect(try debugger.ask("z1,40200004,4") == "OK")
      let again = try debugger.ask("vCont;c")
      let counter = try debugger.register(.programCounter)
      #expect(again.hasPrefix("T05") && counter == 0x4020_0000)
      debugger.send(PacketWriter.packet("k".utf8))
      #expect(try reset.wait() == .exited(0))

      let off = try CommandProcess(CommandKVMTests.run("off", "--gdb", "unix=\(socket),wait", "--console", "none"))
      let other = try RemoteDebugger(connectingTo: socket)
      #expect(try other.ask("vCont;c") == "W00")
      #expect(try off.wait() == .exited(0))
    }

    @Test("packets that make no sense disturb neither the session nor the guest")
    func nonsense() throws {
      let process = try start()
      let debugger = try RemoteDebugger(connectingTo: socket)
      var random = SplitMix64(seed: 3)

      for _ in 0..<200 {
        let text = (0..<Int.random(in: 0...30, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        // No packet that ends or resumes anything.
        debugger.send(PacketWriter.packet([UInt8(ascii: "q")] + text) + [0x00, 0xFF, 0x24])
        _ = try debugger.answer()
      }
      debugger.send([UInt8](repeating: UInt8(ascii: "$"), count: 100_000))
      let counter = try debugger.register(.programCounter)

      #expect(counter == Counter.entry)
      process.signal(SIGTERM)
      #expect(try process.wait() == .exited(143))
    }

    private static func digits(_ text: String) -> String {
      text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
  }
}
