import Apus
import ApusTesting
import Debugger
import Glibc
import GuestSupport
import TestSupport
import Testing

@Suite("A machine that its owner and a debugger hold", .requiresKVM, .ownThread)
struct DebuggerTests {
  /// A guest that counts in X1, for ever:
  ///
  ///     mov  x1, #0
  ///     add  x1, x1, #1
  ///     b    . - 4
  private static let counter: [UInt8] = [0xD280_0001, 0x9100_0421, 0x17FF_FFFF].flatMap { (word: UInt32) in
    (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
  }

  @Test("vCPUs run only where neither the owner nor the debugger holds them")
  func pauseAndStop() async throws {
    let folder = try TemporaryFolder()
    try await TestFile.with(Self.counter) { path in
      var configuration = Configuration(payload: .raw(path: path))
      configuration.memorySize = 32 << 20
      configuration.cpuCount = 2
      configuration.debugger = Configuration.Debugger(.socket(path: folder.path("gdb")))
      let machine = try Machine(configuration)
      try machine.start()

      // Stopped by the debugger, and then paused by the owner, too.
      let debugger = try RemoteDebugger(connectingTo: folder.path("gdb"))
      let count = try debugger.register(.general(1))
      #expect(await machine.pause())
      #expect(await machine.inspect()?.state == .paused)

      // The debugger lets go, and the owner doesn't.
      debugger.send(PacketWriter.packet("vCont;c".utf8))
      let isSilent = debugger.isSilent(for: 100)
      let stopped = try debugger.interrupt()
      #expect(isSilent && stopped.hasPrefix("T02"))
      #expect(try debugger.register(.general(1)) == count)

      // The owner lets go, and the debugger doesn't.
      #expect(await machine.resume())
      usleep(50_000)
      #expect(await machine.inspect()?.state == .running)
      #expect(try debugger.register(.general(1)) == count)

      // A step of the first vCPU; the second, which was never turned on, stays.
      #expect(try debugger.ask("vCont;s:1").hasPrefix("T05"))
      #expect(try debugger.ask("T2") == "OK")

      // Nobody holds it: it counts. And it ends though it is stopped.
      debugger.send(PacketWriter.packet("vCont;c".utf8))
      #expect(debugger.isSilent(for: 50))
      #expect(try debugger.interrupt().hasPrefix("T02"))
      #expect(try debugger.register(.general(1)) > count + 1)
      machine.stop()
      #expect(await machine.outcome.end == .stopped)
    }
  }
}
