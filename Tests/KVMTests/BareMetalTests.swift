import Apus
import ApusTesting
import GuestSupport
import Testing

@Suite("Bare-metal guests", .requiresKVM, .ownThread)
struct BareMetalTests {
  static let forms = GuestFile.BareMetalForm.allCases

  static func configuration(
    _ guest: String,
    _ form: GuestFile.BareMetalForm = .elf,
    arguments: String = "",
    cpus: Int = 1
  ) throws -> Configuration {
    let path = try GuestFile.bareMetal(guest, form)
    var configuration = Configuration(payload: form == .bin ? .raw(path: path) : .kernel(path: path))
    configuration.commandLine = arguments
    configuration.cpuCount = cpus
    configuration.memorySize = 64 << 20
    return configuration
  }

  @Test("hello prints its line and powers off", arguments: forms)
  func hello(form: GuestFile.BareMetalForm) async throws {
    let run = try await GuestRun.boot(Self.configuration("hello", form))

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console == "Hello from bare metal\n")
    #expect(run.report.exitStatus == 0)
    #expect(run.report.boots == 1)
  }

  @Test("off ends after a single exit", arguments: forms)
  func off(form: GuestFile.BareMetalForm) async throws {
    let run = try await GuestRun.boot(Self.configuration("off", form))

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.isEmpty)
    #expect(run.report.exits.systemEvents == 1)
    #expect(run.report.exits.mmioReads + run.report.exits.mmioWrites == 0)
  }

  @Test("every vCPU reports the affinity that the device tree gave it", arguments: [1, 2, 8])
  func secondaries(cpus: Int) async throws {
    let run = try await GuestRun.boot(Self.configuration("secondaries", cpus: cpus))

    #expect(run.outcome.end == .poweredOff)
    #expect(Set(run.lines) == Self.secondariesLines(cpus: cpus))
  }

  @Test(
    "20 vCPUs start on a GICv3, in two clusters",
    .enabled(if: KVMHost.interruptControllers.contains(.v3), "a GICv2 serves eight vCPUs")
  )
  func manySecondaries() async throws {
    let run = try await GuestRun.boot(Self.configuration("secondaries", cpus: 20))

    #expect(run.outcome.end == .poweredOff)
    #expect(Set(run.lines) == Self.secondariesLines(cpus: 20))
  }

  private static func secondariesLines(cpus: Int) -> Set<Substring> {
    let reports = (0..<cpus).map { index in
      "vCPU \(index) MPIDR 0x\(String(MachineTree.affinity(of: index), radix: 16, uppercase: true))"
    }
    return Set((reports + ["\(cpus) of \(cpus) vCPUs"]).map { Substring($0) })
  }

  @Test("timer interrupts arrive through each interrupt controller", arguments: KVMHost.interruptControllers)
  func timer(gic: Configuration.GIC) async throws {
    var configuration = try Self.configuration("timer", arguments: "count=20")
    configuration.gic = gic

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.hasPrefix("GIC\(gic.rawValue): 20 timer interrupts, 0 others, in "))
  }

  @Test("an interrupt controller that the host lacks is refused, and the message says which it has")
  func missingInterruptController() async throws {
    let missing = [Configuration.GIC.v2, .v3].filter { !KVMHost.interruptControllers.contains($0) }

    for gic in missing {
      var configuration = try Self.configuration("off")
      configuration.gic = gic
      let run = try await GuestRun.boot(configuration)
      #expect(run.outcome.end == .hostFailure)
      #expect(run.outcome.message.contains("no GIC\(gic.rawValue); use `gic` automatic or `gic` v"))
      #expect(run.report.boots == 0)
    }
    #expect(missing.count < 2)
  }

  @Test("echo gets every character that is sent, by interrupt")
  func echo() async throws {
    let text = String(repeating: "abcdefghijklmnoprstuvwxyz0123456789", count: 40)

    let run = try await GuestRun.boot(Self.configuration("echo")) { machine, console in
      try await console.expect("Echo\n")
      console.send(text)
      try await console.expect(text)
      console.send("q")
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console == "Echo\n\(text)\nBye\n")
  }

  @Test("input that is sent before the guest runs waits for it")
  func earlyInput() async throws {
    let machine = try Machine(Self.configuration("echo"))
    machine.console.send("earlyq")

    let report = machine.run()

    #expect(report.outcome == "powered-off")
    #expect(await ConsoleTranscript(machine.console).wholeText == "Echo\nearly\nBye\n")
  }

  @Test("a reset ends the machine where it is told to stop")
  func resetStops() async throws {
    var configuration = try Self.configuration("reset")
    configuration.onReset = .stop

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .reset)
    #expect(run.report.exitStatus == 80)
    #expect(run.report.boots == 1)
    #expect(run.console == "Resetting\n")
  }

  @Test("a reset starts the machine anew, as often as it comes, until somebody stops it")
  func resetReboots() async throws {
    var configuration = try Self.configuration("reset")
    configuration.onReset = .reboot

    let run = try await GuestRun.boot(configuration) { machine, console in
      for _ in 0..<3 { try await console.expect("Resetting\n") }
      machine.stop()
    }

    #expect(run.outcome.end == .stopped)
    #expect(run.report.boots >= 3)
  }

  @Test("a panic reported to pvpanic ends the machine")
  func panic() async throws {
    let run = try await GuestRun.boot(Self.configuration("panic"))

    #expect(run.outcome.end == .panicked)
    #expect(run.report.exitStatus == 81)
  }

  @Test("events of pvpanic that are no panic let the guest go on")
  func pvpanicWithoutPanic() async throws {
    let run = try await GuestRun.boot(Self.configuration("panic", arguments: "events=0"))

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.hasPrefix("pvpanic knows 0x"))
  }

  @Test("a guest that never ends is ended by the time limit", arguments: ["", "busy"], [1, 2])
  func timeout(mode: String, cpus: Int) async throws {
    var configuration = try Self.configuration("spin", arguments: mode, cpus: cpus)
    let line = mode.isEmpty ? "Waiting\n" : "Spinning\n"
    // The machine's limit is time on the wall. A slow host needs more of it for the guest to get where it never ends.
    for seconds in [2, 8, 32, 128] as [UInt64] {
      configuration.timeout = .seconds(seconds)

      let run = try await GuestRun.boot(configuration)

      #expect(run.outcome.end == .timedOut)
      #expect(run.report.exitStatus == 124)
      #expect(run.report.time.wall >= seconds * 1_000_000_000)
      if run.console == line { return }
    }
    Issue.record("the guest never wrote its line")
  }

  @Test("a guest that never ends is ended by its owner", arguments: ["", "busy"])
  func stop(mode: String) async throws {
    let run = try await GuestRun.boot(Self.configuration("spin", arguments: mode)) { machine, console in
      try await console.expect("ing\n")
      machine.stop()
    }

    #expect(run.outcome.end == .stopped)
    #expect(run.report.exitStatus == 0)
  }

  @Test("a machine that was stopped before it started does not run its guest for long")
  func stopBeforeStart() throws {
    let machine = try Machine(Self.configuration("spin"))
    machine.stop()

    let report = machine.run()

    #expect(report.outcome == "stopped")
  }

  @Test("a program that looks for devices in all slots finds 32, and those with a device")
  func slots() async throws {
    var configuration = try Self.configuration("slots")
    configuration.devices = [.init(.entropy), .init(.entropy)]

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console == "slot 0 device 4\nslot 1 device 4\n32 slots\n")
    #expect(run.report.devices.map(\.faults) == [0, 0])
  }

  @Test("each read of a device register is one exit")
  func deviceReads() async throws {
    let run = try await GuestRun.boot(Self.configuration("mmio", arguments: "count=500"))

    #expect(run.outcome.end == .poweredOff)
    #expect(run.report.exits.mmioReads == 500)
  }
}
