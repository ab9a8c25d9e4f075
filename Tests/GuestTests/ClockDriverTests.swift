import Apus
import ApusTesting
import GuestSupport
import SCMI
import SCMIFile
import TestSupport
import Testing

/// The documentation's example: a module with an SCMI driver and KUnit tests of it, and what its platform has of it.
@Suite("The example of an SCMI driver with a mistake", .requiresKVM, .guest(.clockDriver))
struct ClockDriverTests {
  @Test("fails the test of a rate of 33 bits, and the platform has been asked for its lower 32")
  func broken() async throws {
    let results = try await load("broken.ko")

    #expect(results.contains("    ok 1 sets_100_mhz"), "\(results)")
    #expect(results.contains("    not ok 2 sets_5_ghz"), "\(results)")
    #expect(results.contains("not ok 1 serdes_clock"), "\(results)")
    // 5,000,000,000 - 2³² is 705,032,704, in steps of 25 MHz.
    #expect(try rate == 700_000_000)
  }

  @Test("passes it without the mistake, and the platform has the rate")
  func fixed() async throws {
    let results = try await load("fixed.ko")

    #expect(results.contains("    ok 2 sets_5_ghz"), "\(results)")
    #expect(results.contains("ok 1 serdes_clock"), "\(results)")
    #expect(!results.contains { $0.contains("not ok") }, "\(results)")
    #expect(try rate == 5_000_000_000)
  }

  @Test("is not loaded by a kernel that it was not built for, which says so, and the clock stays as it was")
  func otherKernel() async throws {
    let refusal = await #expect(throws: GuestError.self) { try await load("other-kernel.ko") }
    let log = try await Guest.current.kernelLog()

    #expect(refusal.map { "\($0)" }?.contains("Exec format error") == true)
    #expect(log.contains("version magic"))
    #expect(try rate == 100_000_000)
  }

  /// Loads the module and returns what its tests said, in KTAP's lines.
  private func load(_ module: String) async throws -> [String] {
    let guest = try Guest.current
    try await guest.push(file: GuestFile.clockDriver(module), to: "/module.ko")
    try await guest.loadModule("/module.ko")
    let results = try await guest.pull("/sys/kernel/debug/kunit/serdes_clock/results")
    return String(decoding: results, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// The clock's on the platform, in hertz.
  private var rate: Int64? {
    get throws { try Guest.current.platform?.value(.clock, "serdes") }
  }
}

extension GuestSetup {
  /// The project's kernel and shell on the example's platform.
  fileprivate static var clockDriver: GuestSetup {
    GuestSetup.configuration { try SCMIGuest.configuration() }
      .scmi {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try #require(readText(root + "/Documentation/Examples/ClockDriver/platform.json"))
        return try PlatformDefinition(json: Array(file.utf8))
      }
      .ready(at: "# ")
      .bootedOnce(as: "clock driver")
  }
}
