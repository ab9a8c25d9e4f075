import ApusTesting
import TestSupport
import Testing

@Suite("Fifty tests side by side", .requiresKVM, .guest(.idle))
struct FiftyGuestsTests {
  /// Few where effort is to be brief. How long all take, Documentation/Benchmarks.md says.
  static let numbers = 0..<(Effort.isBrief ? 5 : 50)

  @Test("have a guest each, which runs a command and knows of no other", arguments: numbers)
  func ownGuest(number: Int) async throws {
    let result = try await Guest.current.run("busybox touch /tmp/\(number) && busybox ls /tmp")

    #expect(result.output == "\(number)\n")
    #expect(result.errorOutput.isEmpty)
    #expect(result.status == 0)
  }
}

extension GuestSetup {
  /// This project's kernel and initramfs, whose init sleeps: what runs in such a guest is a test's.
  fileprivate static var idle: GuestSetup {
    .configuration { try LinuxGuest.configuration("idle") }.bootedOnce(as: "idle")
  }
}
