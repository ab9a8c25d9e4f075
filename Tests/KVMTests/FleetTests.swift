import Apus
import ApusTesting
import GuestSupport
import Testing

@Suite("Fleets as a program has them", .requiresKVM, .ownThread)
struct FleetTests {
  private static func machine(_ name: String, _ guest: String) throws -> Configuration {
    var configuration = try BareMetalTests.configuration(guest)
    configuration.name = name
    return configuration
  }

  @Test("machines are started, stopped and awaited apart")
  func apart() async throws {
    let fleet = try Fleet(.init(machines: [Self.machine("waits", "spin"), Self.machine("ends", "hello")]))

    #expect(fleet.start("ends"))
    #expect(!fleet.start("ends"))
    #expect(await fleet.outcome(of: "ends")?.end == .poweredOff)
    fleet.start()
    var lines = try #require(fleet["waits"]).console.lines.makeAsyncIterator()
    #expect(await lines.next() == "Waiting")
    #expect(fleet.stop("waits"))

    let report = await fleet.report
    #expect(report.exitStatus == 0 && report.decidedBy == nil)
    #expect(report.machines["waits"]?.outcome == "stopped")
    #expect(report.machines["ends"]?.outcome == "powered-off")
    #expect(await fleet.outcome(of: "nobody") == nil)
  }

  @Test("a machine's processor time is that of its own threads")
  func times() async throws {
    // What an emulated host makes of a guest's own time is its business; exits are the monitor's work. They are counted
    // and not timed: a busy host may have few.
    var busy = try Self.machine("busy", "spin")
    busy.commandLine = "flood"
    let fleet = try Fleet(.init(machines: [busy, Self.machine("idle", "spin")]))

    fleet.start()
    var lines = try #require(fleet["busy"]).console.lines.makeAsyncIterator()
    for _ in 0..<200 { _ = await lines.next() }
    fleet.stop()
    let report = await fleet.report

    let times = ["busy", "idle"].map { name in report.machines[name].map { $0.time.user + $0.time.system } ?? 0 }
    #expect(times[1] > 0 && times[1] < times[0] / 3, "\(times)")
  }
}
