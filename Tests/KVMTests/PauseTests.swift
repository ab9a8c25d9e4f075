import Apus
import ApusTesting
import GuestSupport
import Testing

@Suite("Pausing a machine", .requiresKVM, .ownThread)
struct PauseTests {
  /// What the guest `counters` prints.
  private struct Counters {
    var virtual: UInt64
    var physical: UInt64
    var frequency: UInt64
    var steps: UInt64
    var vCPUs: UInt64

    init?(_ line: String) {
      let words = line.split(separator: " ")
      guard words.count == 10, words[0] == "virtual" else { return nil }
      let numbers = stride(from: 1, to: 10, by: 2).compactMap { UInt64(words[$0]) }
      guard numbers.count == 5 else { return nil }
      (virtual, physical, frequency, steps, vCPUs) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
    }
  }

  private static func ask(_ console: ConsoleTranscript) async throws -> Counters {
    console.send("c")
    let line = try await console.expectLine("the counters") { $0.hasPrefix("virtual ") }
    return try #require(Counters(line))
  }

  @Test("the virtual counter stands over a pause for all of four vCPUs, and the physical one goes on")
  func counters() async throws {
    let run = try await GuestRun.boot(BareMetalTests.configuration("counters", cpus: 4)) { machine, console in
      try await console.expect("Counters\n")
      let before = try await Self.ask(console)
      let isPaused = await machine.pause()
      let paused = await machine.inspect()
      try await Task.sleep(for: .milliseconds(1_500))
      let stillPaused = await machine.inspect()
      let isResumed = await machine.resume()
      let resumed = await machine.inspect()
      let after = try await Self.ask(console)
      var rounds = 0
      for _ in 0..<20 {
        guard await machine.pause(), await machine.resume() else { break }
        rounds += 1
      }
      let last = try await Self.ask(console)
      let running = await machine.inspect()
      console.send("q")

      let stood = Int64(resumed?.pausedTime ?? 0)
      // What the physical counter is ahead by is the time that the virtual one stood for.
      let lag = (after.physical - before.physical) - (after.virtual - before.virtual)
      let lagTime = Int64(lag * 1_000_000_000 / after.frequency)
      print("pause: \(stood) ns; the virtual counter fell back by \(lagTime) ns")
      #expect(isPaused && isResumed && rounds == 20)
      #expect(before.vCPUs == 4 && last.vCPUs == 4)
      #expect(last.steps == 0, "no vCPU was behind another")
      #expect(after.virtual > before.virtual && last.virtual > after.virtual)
      #expect(stood >= 1_500_000_000 && abs(lagTime - stood) < 20_000_000)
      #expect(paused?.state == .paused && paused?.exits == stillPaused?.exits)
      #expect(paused?.pauses == 1 && running?.pauses == 21 && running?.state == .running)
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(run.report.pauses == 21)
    #expect(run.report.time.paused >= 1_500_000_000 && run.report.time.paused < run.report.time.wall)
  }

  @Test(
    "timers of a vCPU that waits for its interrupt lose none over many pauses",
    arguments: KVMHost.interruptControllers
  )
  func timers(gic: Configuration.GIC) async throws {
    var configuration = try BareMetalTests.configuration("timer", arguments: "count=400")
    configuration.gic = gic

    let run = try await GuestRun.boot(configuration) { machine, _ in
      while await machine.pause() {
        try await Task.sleep(for: .milliseconds(2))
        guard await machine.resume() else { break }
        try await Task.sleep(for: .milliseconds(5))
      }
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(run.console.contains(": 400 timer interrupts, 0 others, in "))
    #expect(run.report.pauses > 0)
    print("timers: \(run.report.pauses) pauses, \(run.report.time.paused) ns of \(run.report.time.wall)")
  }

  @Test("a machine that is paused does not time out, and does when it has run for its time")
  func timeLimit() async throws {
    var configuration = try BareMetalTests.configuration("spin")
    configuration.timeout = .seconds(2)
    let machine = try Machine(configuration)
    try machine.start()
    let isPaused = await machine.pause()

    try await Task.sleep(for: .seconds(4))
    let inspection = await machine.inspect()
    let isResumed = await machine.resume()
    let outcome = await machine.outcome
    let report = await machine.report

    #expect(isPaused && isResumed)
    #expect(inspection?.state == .paused)
    #expect(outcome.end == .timedOut)
    #expect(report.time.wall - report.time.paused >= 2_000_000_000)
    #expect(report.time.paused >= 4_000_000_000)
  }

  @Test("who asks for what is asked for already, or takes a pause back, has an answer to it")
  func requestsAtOnce() async throws {
    let run = try await GuestRun.boot(BareMetalTests.configuration("echo", cpus: 2)) { machine, console in
      try await console.expect("Echo\n")
      async let one = machine.pause()
      async let two = machine.pause()
      let both = await [one, two]
      let again = await machine.pause()
      _ = await machine.resume()
      let resumed = await machine.resume()
      // Whichever comes first: the machine runs at the end, and both have been answered.
      var answers = 0
      for _ in 0..<100 {
        async let pause = machine.pause()
        async let resume = machine.resume()
        _ = await (pause, resume)
        answers += 1
      }
      _ = await machine.resume()
      console.send("y")
      try await console.expect("y")
      let state = await machine.inspect()?.state
      console.send("q")

      #expect(both == [true, true] && again && resumed)
      #expect(answers == 100)
      #expect(state == .running)
    }

    #expect(run.outcome.end == .poweredOff)
  }

  @Test("a machine that resets while somebody pauses it again and again begins anew, paused or running")
  func pauseOverResets() async throws {
    var configuration = try BareMetalTests.configuration("reset")
    configuration.onReset = .reboot
    let machine = try Machine(configuration)
    try machine.start()

    var paused = 0
    while paused < 20, await machine.pause() {
      paused += 1
      guard await machine.resume() else { break }
    }
    let isPaused = await machine.pause()
    let inspection = await machine.inspect()
    machine.stop()
    let outcome = await machine.outcome

    #expect(paused == 20 && isPaused)
    #expect(inspection?.state == .paused)
    #expect(outcome.end == .stopped)
    #expect(await !machine.pause())
  }
}
