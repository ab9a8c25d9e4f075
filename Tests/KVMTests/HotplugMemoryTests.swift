import Apus
import ApusTesting
import GuestSupport
import Testing

@Suite("Memory that a bare-metal guest plugs and unplugs", .requiresKVM, .ownThread)
struct HotplugMemoryTests {
  private static let block: UInt64 = 2 << 20

  private static func configuration(_ arguments: String, cpus: Int = 1) throws -> Configuration {
    var configuration = try BareMetalTests.configuration("hotplug", arguments: arguments, cpus: cpus)
    var memory = Configuration.Device.Memory(size: 256 << 20)
    memory.initialSize = 16 * Self.block
    memory.name = "test"
    configuration.devices = [.init(.entropy), .init(.memory(memory))]
    return configuration
  }

  @Test(
    "each wrong request has the specification's answer, parts go while another vCPU runs, and what is gone is a fault",
    arguments: [
      ("read", "reads 4 bytes at 0x60a00000, "), ("write", "writes 4 bytes at 0x60a00000, "),
      ("load-pair", "accesses 0x60a00000, "),
    ]
  )
  func touchesWhatIsUnplugged(access: String, reason: String) async throws {
    let run = try await GuestRun.boot(Self.configuration("rounds=4 \(access)", cpus: 2))

    let fault = try #require(run.fault, "\(run.console)")
    #expect(run.lines.filter { $0.contains("NOT") } == [])
    #expect(run.lines.contains("hotplug: 27 passed, 0 failed"))
    #expect(fault.reason.hasPrefix(reason + "which is unplugged hot-plug memory of region 'test'"))
    #expect(run.report.exitStatus == 82)
    let memory = try #require(run.report.devices.last?.memory)
    #expect(memory.plugged == 7 * Self.block)
    #expect(memory.slots == 5)
    #expect(memory.requests.errors == 11)
    #expect(memory.requests.refused == 2)
    #expect(memory.requests.busy == 0)
    #expect(memory.resident <= memory.plugged)
    #expect(memory.resident > 0)
  }

  @Test("with --unmapped zero what is unplugged reads as zero, and the guest goes on")
  func unmappedZero() async throws {
    var configuration = try Self.configuration("rounds=1 read write")
    configuration.unmapped = .zero

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .poweredOff)
    #expect(run.lines.contains("Nothing happened"))
    #expect(run.report.exits.unmappedReads == 1)
    #expect(run.report.exits.unmappedWrites == 1)
  }

  @Test("code that is fetched from what is unplugged is an abort of the guest's own")
  func jumpsToWhatIsUnplugged() async throws {
    let run = try await GuestRun.boot(Self.configuration("rounds=1 jump"))

    #expect(run.outcome.end == .panicked)
    // KVM of Linux 6.1 sets the upper half of the syndrome, too, by the sign of the lower one.
    #expect(run.console.replacing("0xFFFFFFFF86", with: "0x86").contains("EXCEPTION entry 4 ESR_EL1 0x86"))
    #expect(run.console.contains("FAR_EL1 0x0000000060A00000"))
  }

  @Test("a plug beyond the limit of the machine's memory is answered BUSY, and the machine goes on")
  func limit() async throws {
    var configuration = try Self.configuration("limited")
    // RAM, the window, and two blocks.
    configuration.devices[1] = .init(.memory(.init(size: 256 << 20)))
    configuration.memoryLimit = configuration.memorySize + Self.block + 2 * Self.block

    let run = try await GuestRun.boot(configuration) { machine, _ in
      try await machine.setHotplugMemory("hotplug", requested: 16 * Self.block)
    }

    let memory = try #require(run.report.devices.last?.memory)
    #expect(run.outcome.end == .poweredOff)
    #expect(run.lines.filter { $0.contains("NOT") } == [])
    #expect(run.lines.last == "hotplug: 7 passed, 0 failed")
    #expect(memory.requests.busy == 2)
    #expect(memory.plugged == 2 * Self.block)
  }

  @Test("a reset of the machine unplugs everything, and what was requested stays")
  func reset() async throws {
    var configuration = try Self.configuration("reset")
    configuration.onReset = .reboot

    let run = try await GuestRun.boot(configuration) { machine, console in
      try await console.expect("hotplug: has 0 of 16 blocks\nhotplug: plugged\n")
      #expect(await machine.hotplugMemory()?.first?.plugged == 2 * Self.block)
      try await machine.setHotplugMemory("test", requested: 32 * Self.block)
      try await console.expect("hotplug: has 0 of 32 blocks\nhotplug: plugged\n")
      machine.stop()
    }

    #expect(run.report.boots == 2)
    let memory = try #require(run.report.devices.last?.memory)
    #expect(memory.requested == 32 * Self.block)
    #expect(memory.requests.acknowledged == 1)
  }

  @Test("a size that no region can have is refused by name, and a machine that has ended has none")
  func wrongSizes() async throws {
    var configuration = try BareMetalTests.configuration("spin")
    configuration.devices = [.init(.memory(.init(size: 128 << 20)))]
    let machine = try Machine(configuration)
    func refusal(_ name: String, _ size: UInt64) async -> HotplugMemoryError? {
      do throws(HotplugMemoryError) {
        try await machine.setHotplugMemory(name, requested: size)
        return nil
      } catch {
        return error
      }
    }

    try machine.start()
    #expect(await refusal("other", 0) == .unknown(name: "other", known: ["hotplug"]))
    #expect(await refusal("hotplug", 1) == .notInBlocks(size: 1, blockSize: Self.block))
    #expect(await refusal("hotplug", 130 << 20) == .beyondRegion(size: 130 << 20, regionSize: 128 << 20))
    #expect(await machine.hotplugMemory()?.first?.requested == 0)
    #expect(await refusal("hotplug", 128 << 20) == nil)
    machine.stop()
    _ = await machine.outcome

    #expect(await refusal("hotplug", 0) == .ended)
    #expect(await machine.hotplugMemory() == nil)
  }

  @Test("a machine that is paused while a part is unplugged stays paused, and the part goes")
  func pausedMachine() async throws {
    let run = try await GuestRun.boot(Self.configuration("rounds=64", cpus: 2)) { machine, _ in
      for _ in 0..<32 {
        guard await machine.pause() else { break }
        #expect(await machine.inspect()?.state != .running)
        _ = await machine.resume()
      }
    }

    #expect(run.outcome.end == .poweredOff)
    #expect(run.lines.contains("hotplug: 27 passed, 0 failed"))
  }
}
