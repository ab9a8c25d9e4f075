import Apus
import ApusTesting
import Glibc
import TestSupport
import Testing

@Suite("A guest with a hostile driver", .requiresKVM, .ownThread)
struct HostileGuestTests {
  /// In each race as many requests are answered, and as many refused: `APUS_RACE_ROUNDS`, or what a run of all tests
  /// has time for.
  private static var rounds: Int { Variable.number("APUS_RACE_ROUNDS", or: 2) }

  @Test("every attack on a disk and on the source of entropy ends as specified, and the devices work afterwards")
  func attacks() async throws {
    var configuration = try BareMetalTests.configuration("hostile", arguments: "rounds=\(Self.rounds)", cpus: 2)
    configuration.memorySize = 32 << 20

    try await TestFile.with(Array(repeating: 0xA5, count: 1 << 20)) { image in
      configuration.devices = [.init(.block(.init(path: image))), .init(.entropy)]

      let run = try await GuestRun.boot(configuration, limit: .seconds(120 + 10 * Self.rounds))

      let broken = run.lines.filter { $0.contains("NOT") || $0.contains("STOPPED") }
      #expect(run.outcome.end == .poweredOff)
      #expect(broken == [])
      #expect(run.lines.last == "hostile: 128 passed, 0 failed")
      // Ten fields of a queue, in two devices, and two of a disk's request.
      let raced = run.lines.first { $0.hasPrefix("hostile: raced ") } ?? ""
      print(raced)
      let counts = raced.split(separator: " ").compactMap { UInt64($0) }
      let areManyEachWay = counts.count == 2 && counts.allSatisfy { $0 >= 22 * Self.rounds }
      #expect(areManyEachWay)
      for device in run.report.devices {
        let wasAttacked = device.faults > 20 && device.refusedAccesses > 0
        #expect(wasAttacked, "\(device.name)")
      }
    }
  }
}
