import Apus
import ApusTesting
import SCMI
import Testing

/// What tests can count on whose guest was booted before, for all of them.
@Suite("Guests that are booted once", .requiresKVM)
struct FrozenGuestTests {
  @Test(
    "each test's guest and platform are where the start has left them, and the driver's votes hold",
    .guest(.withClock.bootedOnce(as: "clock")),
    arguments: 0..<3
  )
  func platform(number: Int) async throws {
    let guest = try Guest.current
    let platform = try #require(guest.platform)

    let began = (platform.value(.clock, "core"), platform.isEnabled(.clock, "core"), try await shownRate(guest))
    let requestsBefore = guest.scmiRequests(ClockProtocol.Message.rateSet).count
    let made = try await guest.run("busybox mkdir /made-by-one && busybox ls / | busybox grep -c made-by")
    platform.set(.clock, "core", to: 4_000_000)
    let changed = try await shownRate(guest)
    let unbound = try await driver("unbind", guest)
    let released = platform.isEnabled(.clock, "core")
    let bound = try await driver("bind", guest)
    let taken = (platform.value(.clock, "core"), platform.isEnabled(.clock, "core"), try await shownRate(guest))
    let requests = guest.scmiRequests(ClockProtocol.Message.rateSet).count

    let isAsStarted = began == (2_000_000, true, "2000000\n")
    let isAsWanted = taken == (2_000_000, true, "2000000\n")
    #expect(isAsStarted, "\(began)")
    #expect(requestsBefore == 0, "they are from before the test")
    #expect(made.output == "1\n")
    #expect(changed == "4000000\n")
    #expect(unbound.status == 0 && bound.status == 0)
    #expect(released == false)
    #expect(isAsWanted, "\(taken)")
    #expect(requests == 1)
  }

  private func shownRate(_ guest: Guest) async throws -> String {
    try await guest.run("busybox cat /sys/kernel/debug/clk/core/clk_rate").output
  }

  private func driver(_ word: String, _ guest: Guest) async throws -> CommandResult {
    try await guest.run("echo 9010000.rtc >/sys/bus/amba/drivers/rtc-pl031/\(word)")
  }

  @Test("one with a prompt goes on behind it, and its console has what the test makes it say", .guest(.oursOnce))
  func console() async throws {
    let console = try Guest.current.console

    console.send("echo on-the-$((1 + 1))\n")
    try await console.expect("on-the-2")

    #expect(!console.text.contains("Linux version"))
  }

  @Test("a guest on another one's platform cannot be such a one, and the test is told what to leave out")
  func sharing() async throws {
    let platform = try SharedPlatform(startingNow: PlatformDefinition { $0.agents = [AgentDefinition("guest")] })
    let setup = GuestSetup.ours.scmi(sharing: platform, agent: "guest").bootedOnce(as: "sharing")

    let error = await #expect(throws: (any Error).self) { try await withGuest(setup) { _ in } }

    #expect(error.map { "\($0)" }?.contains("leave bootedOnce(as:) or scmi(sharing:agent:) out") == true)
  }
}

extension GuestSetup {
  /// The project's guest on a platform with one clock, of which the real-time clock's driver wants 2 MHz.
  fileprivate static var withClock: GuestSetup {
    .ours.scmi(
      json: """
        {"clocks": [{"name": "core", "rates": [1000000, 2000000, 4000000]}],
         "deviceTree": {"consumers": [{"name": "rtc", "kind": "clock", "resources": ["clocks/core"],
                                       "rates": {"core": 2000000}}]},
         "agents": [{"name": "guest"}]}
        """
    )
  }
}
