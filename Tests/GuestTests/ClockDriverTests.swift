import Apus
import ApusTesting
import GuestSupport
import SCMI
import SCMIFile
import TestSupport
import Testing

/// The documentation's example: a module with an SCMI driver and KUnit tests of it, and what its platform has of it.
@Suite("The example of an SCMI driver with a mistake", .requiresKVM, .ownThread)
struct ClockDriverTests {
  @Test("fails the test of a rate of 33 bits, and the platform has been asked for its lower 32")
  func broken() async throws {
    let seen = try await load("broken.ko")

    #expect(seen.status == ["0"])
    #expect(seen.results.contains("    ok 1 sets_100_mhz"), "\(seen.results)")
    #expect(seen.results.contains("    not ok 2 sets_5_ghz"), "\(seen.results)")
    #expect(seen.results.contains("not ok 1 serdes_clock"), "\(seen.results)")
    // 5,000,000,000 - 2³² is 705,032,704, in steps of 25 MHz.
    #expect(seen.rate == 700_000_000)
  }

  @Test("passes it without the mistake, and the platform has the rate")
  func fixed() async throws {
    let seen = try await load("fixed.ko")

    #expect(seen.status == ["0"])
    #expect(seen.results.contains("    ok 2 sets_5_ghz"), "\(seen.results)")
    #expect(seen.results.contains("ok 1 serdes_clock"), "\(seen.results)")
    #expect(!seen.results.contains { $0.contains("not ok") }, "\(seen.results)")
    #expect(seen.rate == 5_000_000_000)
  }

  @Test("is not loaded by a kernel that it was not built for, and the clock stays as it was")
  func otherKernel() async throws {
    let seen = try await load("other-kernel.ko")

    let refusal = "insmod: can't insert '/modules/other-kernel.ko': invalid module format"
    #expect(seen.status.first == refusal)
    #expect(seen.status.last != "0")
    #expect(seen.rate == 100_000_000)
  }

  private struct Seen: Sendable {
    /// What insmod printed, and its status.
    var status: [String] = []
    /// KUnit's results: KTAP.
    var results: [String] = []
    /// The clock's rate on the platform, in hertz.
    var rate: Int64?
  }

  private func load(_ module: String) async throws -> Seen {
    let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let file = try #require(readText(root + "/Documentation/Examples/ClockDriver/platform.json"))
    let platform = try SCMIGuest.platform(try PlatformDefinition(json: Array(file.utf8)))
    var configuration = try SCMIGuest.configuration()
    configuration.initramfs = try GuestFile.clockDriver("initramfs.cpio")
    var seen = Seen()

    let run = try await GuestRun.boot(configuration, platform: platform, limit: .seconds(120)) { _, console in
      let shell = try await GuestShell(console)
      seen.status = try await shell.run("insmod /modules/\(module); echo $?")
      seen.results = try await shell.run("cat /sys/kernel/debug/kunit/serdes_clock/results 2>/dev/null")
      seen.rate = platform.change { platform, _ in platform.value(ResourceName(.clock, "serdes")) }
      console.send("exit\n")
    }

    #expect(run.outcome.end == .poweredOff)
    return seen
  }
}
