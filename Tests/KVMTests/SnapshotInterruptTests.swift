import Apus
import ApusTesting
import GuestSupport
import TestSupport
import Testing

@Suite("Interrupts over a snapshot", .requiresKVM, .ownThread)
struct SnapshotInterruptTests {
  /// Of a machine, once the guest is told to take what pends.
  private static func answer(_ machine: Machine, _ console: ConsoleTranscript) async throws -> String {
    console.send("g")
    #expect(await machine.outcome.end == .poweredOff)
    return await console.wholeText
  }

  @Test(
    "what pends and is active at two busy vCPUs comes once each, in its order, here and where a machine goes on",
    arguments: KVMHost.interruptControllers
  )
  func busy(gic: Configuration.GIC) async throws {
    let folder = try TemporaryFolder()
    var configuration = try BareMetalTests.configuration("pending", cpus: 2)
    configuration.gic = gic
    var later: [String] = []

    let run = try await GuestRun.boot(configuration) { machine, console in
      try await console.expect("Pending\n")
      for round in 0..<3 {
        let summary = try await machine.snapshot(to: folder.path("\(round)"))
        let snapshot = try MachineSnapshot(summary.directory)
        var restored = snapshot.configuration
        restored.console = .stream
        let next = try Machine(restoring: snapshot, restored)
        let nextConsole = ConsoleTranscript(next.console)
        try next.start()
        later.append(try await Self.answer(next, nextConsole))
      }
      console.send("g")
    }

    // A GICv2 knows who has sent a software generated interrupt: one from each of the two vCPUs.
    let twice = gic == .v2 ? "5 5" : "5"
    let line = "active 0x20, early 0, wrong 0, taken 60 27 62 3 20 61 \(twice), by the other 6\n"
    #expect(run.outcome.end == .poweredOff)
    #expect(run.console == "Pending\n" + line)
    #expect(later == [line, line, line])
  }
}
