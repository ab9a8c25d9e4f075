import Apus
import ApusTesting
import TestSupport
import Testing

@Suite("Linux guests with an agent", .requiresKVM)
struct AgentInGuestTests {
  @Test("beside the init of an initramfs it runs programs, and neither's output is the other's")
  func besideInit() async throws {
    let guest = try Guest.start(LinuxGuest.configuration("shell"))

    let result = try await guest.run("echo to-output; echo to-errors >&2; exit 5")
    let name = try await guest.run(GuestCommand("busybox", "uname", "-m"))
    try await guest.console.expect("# ")
    guest.console.send("echo on-the-$((1 + 1))\n")
    try await guest.console.expect("on-the-2")
    let outcome = try await guest.powerOff()

    #expect(result.output == "to-output\n")
    #expect(result.errorOutput == "to-errors\n")
    #expect(result.status == 5)
    #expect(name.output == "aarch64\n")
    #expect(!guest.console.text.contains("to-output"))
    #expect(outcome.end == .poweredOff)
  }

  @Test("files go in and out, and the kernel's log is read", .guest(.oursOnce))
  func files() async throws {
    let guest = try Guest.current
    let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 4) }

    try await guest.makeFolder("/tmp/a/b")
    try await guest.push(bytes, to: "/tmp/a/b/file", mode: 0o600)
    let mode = try await guest.run("busybox stat -c %a /tmp/a/b/file")
    let pulled = try await guest.pull("/tmp/a/b/file")
    let log = try await guest.kernelLog()

    let isWhole = pulled == bytes
    #expect(isWhole)
    #expect(mode.output == "600\n")
    #expect(log.contains("Linux version"))
  }

  @Test("a panic during a program is told with the console's last words", .guest(.oursOnce))
  func panic() async throws {
    let guest = try Guest.current

    let error = await #expect(throws: GuestError.self) {
      try await guest.run("echo c >/proc/sysrq-trigger; busybox sleep 100")
    }
    // Whoever asks for the end was not surprised by it.
    _ = await guest.outcome

    guard case .ended(_, let outcome, let lastWords) = error else {
      Issue.record("it ended otherwise: \(error.map { "\($0)" } ?? "without an error")")
      return
    }
    #expect(outcome.end == .panicked)
    #expect(lastWords.contains("sysrq triggered crash"))
  }

  @Test("an agent that is killed is started anew, and what was under way is lost", .guest(.oursOnce))
  func killed() async throws {
    let guest = try Guest.current

    let lost = await #expect(throws: GuestError.self) { try await guest.run("kill -9 $PPID; busybox sleep 100") }
    let later = try await guest.run("echo here")

    guard case .agentLost = lost else {
      Issue.record("it ended otherwise")
      return
    }
    #expect(later.output == "here\n")
  }

  @Test("a program that does not end is killed at its limit", .guest(.oursOnce))
  func limit() async throws {
    let guest = try Guest.current

    let late = await #expect(throws: GuestError.self) {
      try await guest.run("echo $$ >/tmp/p; busybox sleep 100", within: .seconds(1))
    }
    let left = try await guest.run("busybox sleep 0.2; kill -0 $(busybox cat /tmp/p)")

    guard case .timedOut = late else {
      Issue.record("it ended otherwise")
      return
    }
    #expect(left.status != 0)
  }
}
