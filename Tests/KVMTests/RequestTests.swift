import Apus
import ApusTesting
import GuestSupport
import Testing

@Suite("What is asked of a machine that runs", .requiresKVM, .ownThread)
struct RequestTests {
  @Test("a paused machine does nothing, says so, and goes on where it stood")
  func pause() async throws {
    let run = try await GuestRun.boot(BareMetalTests.configuration("echo")) { machine, console in
      try await console.expect("Echo\n")
      let isPaused = await machine.pause()
      machine.console.send(Array("x".utf8))
      let before = await machine.inspect()
      try await Task.sleep(for: .milliseconds(100))
      let after = await machine.inspect()
      let text = console.text
      let isResumed = await machine.resume()
      try await console.expect("x")
      let running = await machine.inspect()
      machine.stop()

      #expect(isPaused && isResumed)
      #expect(before?.state == .paused && after?.state == .paused)
      #expect(before?.exits == after?.exits)
      #expect(!text.contains("x"))
      #expect(running?.state == .running)
      #expect(running?.boots == 1)
    }

    #expect(run.outcome.end == .stopped)
  }

  @Test("a machine that is paused can be ended, and answers nothing afterwards")
  func endWhilePaused() async throws {
    let machine = try Machine(BareMetalTests.configuration("spin"))
    try machine.start()
    #expect(await machine.pause())

    machine.stop()
    let outcome = await machine.outcome

    #expect(outcome.end == .stopped)
    #expect(await !machine.pause())
    #expect(await !machine.resume())
    #expect(await machine.inspect() == nil)
  }
}
