import Apus
import ApusTesting
import SCMI
import Testing

extension GuestSetup {
  /// The same guest on a platform with one clock of three rates, and a consumer that wants the second.
  static var withClock: GuestSetup {
    .mine.scmi(
      json: """
        {"clocks": [{"name": "core", "rates": [1000000, 2000000, 4000000]}],
         "deviceTree": {"consumers": [{"name": "rtc", "kind": "clock", "resources": ["clocks/core"],
                                       "rates": {"core": 2000000}}]},
         "agents": [{"name": "guest"}]}
        """
    )
  }
}

/// Linux's clock driver for SCMI, on a platform that the tests see, change, and have be wrong. Its consumer is the
/// real-time clock, whose driver is unbound and bound: it then asks for 2 MHz.
@Suite("The SCMI clock driver", .requiresKVM, .guest(.withClock))
struct ClockDriverTests {
  private func rate(_ guest: Guest) async throws -> String {
    try await guest.run("cat /sys/kernel/debug/clk/core/clk_rate").output
  }

  private func bindAgain(_ guest: Guest) async throws {
    let result = try await guest.run(
      "cd /sys/bus/amba/drivers/rtc-pl031; d=$(echo *.rtc); echo $d >unbind; echo $d >bind"
    )
    #expect(result.status == 0)
  }

  @Test("sets the rate that its consumer wants, and switches it on")
  func consumer() async throws {
    let guest = try Guest.current
    let platform = try #require(guest.platform)

    let rate = try await rate(guest)
    let vote = try #require(platform.votes(.clock, "core").first)

    #expect(rate == "2000000\n")
    #expect(vote.value == 2_000_000)
    #expect(vote.isOn == true)
    #expect(guest.scmiRequests(ClockProtocol.Message.rateSet).count == 1)
  }

  @Test("sees a rate that the platform changed by itself")
  func changed() async throws {
    let guest = try Guest.current

    guest.platform?.set(.clock, "core", to: 4_000_000)

    #expect(try await rate(guest) == "4000000\n")
  }

  @Test("knows the rate that holds when the platform refuses another, and sets that when it no longer does")
  func refused() async throws {
    let guest = try Guest.current
    let platform = try #require(guest.platform)
    platform.set(.clock, "core", to: 1_000_000)
    // Linux knows the new rate from when somebody reads it.
    #expect(try await rate(guest) == "1000000\n")

    platform.addRule(
      MisbehaviourRule("busy", .status(.busy)) { rule in
        rule.protocolIdentifier = ProtocolIdentifier.clock.rawValue
        rule.message = ClockProtocol.Message.rateSet.rawValue
      }
    )
    try await bindAgain(guest)
    let refused = try await rate(guest)
    platform.removeRules(named: "busy")
    try await bindAgain(guest)

    #expect(refused == "1000000\n")
    #expect(platform.value(.clock, "core") == 2_000_000)
    #expect(guest.scmiTranscript.contains { $0.rule == "busy" })
  }
}
