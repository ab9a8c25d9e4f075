import Apus
import ApusTesting
import SCMI
import SCMIFile
import Testing

@Suite("Tests with a guest of their own", .requiresKVM, .guest(.oursOnce))
struct GuestTraitTests {
  @Test("each has a guest that runs programs", arguments: 0..<3)
  func ownGuest(number: Int) async throws {
    let guest = try Guest.current

    let made = try await guest.run("busybox mkdir /made-by-one && busybox ls / | busybox grep -c made-by")

    #expect(made.output == "1\n")
    #expect(made.status == 0)
  }

  @Test("one that powers off is no failure where the test waits for it")
  func powerOff() async throws {
    let outcome = try await Guest.current.powerOff()

    #expect(outcome.end == .poweredOff)
  }
}

@Suite("Tests whose guest ends", .requiresKVM)
struct GuestEndTests {
  @Test("a panic that nobody waits for fails the test, with the last words")
  func panic() async throws {
    try await withKnownIssue {
      try await GuestTrait.guest(.oursOnce).provideScope(for: Test.current!, testCase: nil) {
        try Guest.current.console.send("echo c >/proc/sysrq-trigger\n")
        try await Guest.current.console.expect("end Kernel panic")
      }
    } matching: { issue in
      "\(issue)".contains("sysrq triggered crash")
    }
  }

  @Test("a guest that runs longer than its limit is ended, and fails the test")
  func limit() async throws {
    try await withKnownIssue {
      try await GuestTrait.guest(.oursOnce, limit: .seconds(2)).provideScope(for: Test.current!, testCase: nil) {
        _ = try await Guest.current.run("busybox sleep 1000", within: .seconds(900))
      }
    } matching: { issue in
      "\(issue)".contains("the guest ran longer") || "\(issue)".contains("the machine ended during")
    }
  }
}

@Suite("A suite with one guest", .requiresKVM, .guest(.oursOnce, for: .suite), .serialized)
struct SharedGuestTests {
  @Test("a first test leaves something in it")
  func first() async throws {
    let result = try await Guest.current.run("echo one >>/left")

    #expect(result.status == 0)
  }

  @Test("a second one finds it")
  func second() async throws {
    let left = try await Guest.current.pull("/left")

    #expect(left == Array("one\n".utf8))
  }
}

@Suite("Tests with an SCMI platform", .requiresKVM)
struct PlatformTraitTests {
  private static let setup = GuestSetup.ours.scmi(
    json: #"{"clocks": [{"name": "gpu", "rates": [100000000, 200000000]}], "agents": [{"name": "guest"}]}"#
  )

  @Test("sees what the guest did to it, and the guest what the test did", .guest(setup))
  func clock() async throws {
    let guest = try Guest.current
    let platform = try #require(guest.platform)

    let shown = try await guest.run("busybox cat /sys/kernel/debug/clk/gpu/clk_rate")
    let names = platform.definition.clocks.map(\.name)

    #expect(shown.output == "100000000\n")
    #expect(names == ["gpu"])
  }

  private static let pair = GuestSetup.ours.scmi(
    json: """
      {"clocks": [{"name": "one", "rates": [1000, 2000]}, {"name": "two", "rates": [1000, 2000]}],
       "agents": [{"name": "first", "resources": ["clocks/one"]}, {"name": "second", "resources": ["clocks/two"]}]}
      """,
    agent: "first"
  )

  @Test("a second guest is another agent of the first one's platform", .guest(pair))
  func sharing() async throws {
    let first = try Guest.current
    let platform = try #require(first.platform)

    try await withGuest(.ours.scmi(sharing: platform, agent: "second")) { second in
      platform.set(.clock, "two", to: 2000)
      let clocks = "busybox ls /sys/kernel/debug/clk; busybox cat /sys/kernel/debug/clk/two/clk_rate"
      let seen = try await second.run(clocks)
      #expect(seen.output.hasSuffix("two\n2000\n"))
      #expect(!seen.output.contains("one"))
      #expect(try await first.run(clocks).status != 0)
    }
  }
}

extension GuestSetup {
  /// This project's kernel and initramfs, with a shell on the console.
  static var ours: GuestSetup { .configuration { try LinuxGuest.configuration("shell") }.ready(at: "# ") }

  /// The same, from behind its start.
  static var oursOnce: GuestSetup { ours.bootedOnce(as: "ours") }
}
