import Apus
import ApusTesting
import GuestSupport
import TestSupport
import Testing

/// In a process of their own, where no other test opens descriptors or starts threads.
@Suite("Many boots in one process", .requiresKVM, .ownThread)
struct LeakTests {
  /// Each is a boot of Linux and nine of bare-metal guests. Where effort is to be brief, half as many.
  private static let rounds = Effort.isBrief ? 10 : 20

  @Test("200 boots in a row, or 100, leave no descriptor, thread, memory or file behind")
  func bootsInARow() async {
    await #expect(processExitsWith: .success) {
      // The first boots load code, start the language's own threads and timers, and fill caches for good.
      try await Self.bootLinux()
      for guest in Self.guests.indices { try await Self.bootBareMetal(guest) }
      let before = ProcessFootprint()

      for number in 0..<Self.rounds {
        try await Self.bootLinux()
        for part in 0..<9 { try await Self.bootBareMetal(9 * number + part) }
      }

      let after = ProcessFootprint.settled(threads: before.threads.count)
      #expect(after.descriptors == before.descriptors)
      #expect(after.threads.count <= before.threads.count, "\(after.threads) after, \(before.threads) before")
      #expect(after.files == before.files)
      // 64 KiB for each boot would be 6 MiB or 12: what is allowed is far less, and more than the allocator's ups and
      // downs.
      #expect(after.privateMemory <= before.privateMemory + 2 << 20)
    }
  }

  private static func bootLinux() async throws {
    var configuration = try LinuxGuest.configuration("poweroff")
    configuration.cpuCount = 2
    let run = try await GuestRun.boot(configuration)
    #expect(run.outcome.end == .poweredOff, "\(run.outcome.message)")
  }

  /// An end of each kind: power-off, panic, fault and stop.
  private static let guests = ["hello", "off", "panic", "unmapped", "spin"]

  private static func bootBareMetal(_ number: Int) async throws {
    let name = guests[number % guests.count]
    var configuration = Configuration(kernel: try GuestFile.bareMetal(name))
    configuration.cpuCount = 1 + number % 3
    let run = try await GuestRun.boot(configuration) { machine, console in
      if name == "spin" {
        try await console.expect("Waiting\n")
        machine.stop()
      }
    }
    #expect(run.outcome.end != .hostFailure && run.outcome.end != .timedOut, "\(run.outcome.message)")
  }
}
