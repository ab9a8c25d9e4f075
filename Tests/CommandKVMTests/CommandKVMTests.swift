import ApusTesting
import GuestSupport
import Testing

/// `apus` as people and scripts use it, on KVM. One process after the other: each of these tests waits for its own.
@Suite("The apus command on KVM", .requiresKVM, .ownThread, .serialized)
enum CommandKVMTests {
  /// The arguments that run a bare-metal guest.
  static func run(_ guest: String, _ arguments: String...) throws -> [String] {
    ["run", "--memory", "32M", "--kernel", try GuestFile.bareMetal(guest)] + arguments
  }
}
