import Apus
import ApusTesting
import Testing

@Suite("A guest with a hostile driver", .requiresKVM)
struct HostileGuestTests {
  @Test("every attack on a disk and on the source of entropy ends as specified, and the devices work afterwards")
  func attacks() async throws {
    var configuration = try BareMetalTests.configuration("hostile", cpus: 2)
    configuration.memorySize = 32 << 20

    try await TestFile.with(Array(repeating: 0xA5, count: 1 << 20)) { image in
      configuration.devices = [.init(.block(.init(path: image))), .init(.entropy)]

      let run = try await GuestRun.boot(configuration)

      let broken = run.lines.filter { $0.contains("NOT") || $0.contains("STOPPED") }
      #expect(run.outcome.end == .poweredOff)
      #expect(broken == [])
      #expect(run.lines.last == "hostile: 102 passed, 0 failed")
      for device in run.report.devices {
        let wasAttacked = device.faults > 20 && device.refusedAccesses > 0
        #expect(wasAttacked, "\(device.name)")
      }
    }
  }
}
