import Apus
import ApusGuest
import ApusTesting
import GuestSupport
import Gunyah
import GunyahSupport
import Testing

/// A primary machine with the personality and a puppet in it.
enum GunyahMachine {
  /// Memory of the primary machine's that its puppet does not use.
  static let memory: UInt64 = 0x4400_0000

  /// - Parameters:
  ///   - endsItself: whether the guest has been told to end, and is waited for.
  ///   - trees: of secondary machines that the test makes.
  ///   - configure: changes what is booted.
  ///   - drive: gets the puppet, which has said that it is there.
  @discardableResult
  static func boot(
    cpus: Int = 1,
    gic: Configuration.GIC = KVMHost.interruptControllers[0],
    endsItself: Bool = false,
    trees: [[UInt8]] = [],
    configure: (inout Configuration) -> Void = { _ in },
    _ drive: (Puppet, Machine) async throws -> Void
  ) async throws -> GuestRun {
    let image = try TestFile.contents(of: GuestFile.bareMetal("puppet", .bin))
    return try await TestFile.with(SecondaryPuppet.initramfs(image, trees)) { path in
      var configuration = try BareMetalTests.configuration("puppet", .bin, cpus: cpus)
      configuration.memorySize = 128 << 20
      configuration.personality = .gunyah
      configuration.initramfs = path
      configuration.gic = gic
      configure(&configuration)
      return try await GuestRun.boot(configuration, limit: .seconds(400)) { machine, console in
        try await drive(Puppet(console), machine)
        if endsItself {
          _ = await machine.outcome
        } else if case .running? = await machine.inspect()?.state {
          machine.stop()
        }
      }
    }
  }

  /// The same with a secondary machine that has started, its puppet beside the owner's.
  @discardableResult
  static func bootPair(
    cpus: Int = 1,
    secondaryCPUs: UInt32 = 1,
    devices: [SecondaryPuppet.Device] = [],
    endsItself: Bool = false,
    _ drive: (RMClient, Puppet, SecondaryPuppet) async throws -> Void
  ) async throws -> GuestRun {
    let gic = KVMHost.interruptControllers[0]
    let tree = try SecondaryPuppet.tree(cpus: secondaryCPUs, gic: gic, devices: devices)
    return try await boot(cpus: cpus, gic: gic, endsItself: endsItself, trees: [tree]) { puppet, _ in
      let client = try await RMClient(puppet)
      let secondary = try await SecondaryPuppet(client, memory: memory)
      try await drive(client, secondary.start(client), secondary)
    }
  }
}

/// Gunyah's calls, by number.
enum Call {
  static let identify: UInt64 = 0xC600_8000
  static let bellSend: UInt64 = 0xC600_8012
  static let bellReceive: UInt64 = 0xC600_8013
  static let bellReset: UInt64 = 0xC600_8014
  static let bellMask: UInt64 = 0xC600_8015
  static let send: UInt64 = 0xC600_801B
  static let receive: UInt64 = 0xC600_801C
  static let flush: UInt64 = 0xC600_801D
  static let configureSend: UInt64 = 0xC600_801F
  static let configureReceive: UInt64 = 0xC600_8020
  static let vcpuRun: UInt64 = 0xC600_8065

  static let minusOne = UInt64.max
}
