#if canImport(Testing)
  internal import Apus
  internal import ApusGuest
  internal import Glibc
  internal import Host
  internal import SCMI

  /// The guests that were booted once, each for all tests that name it.
  actor FrozenGuests {
    static let shared = FrozenGuests()

    /// A guest that has begun.
    struct Frozen: Sendable {
      let snapshot: MachineSnapshot
      /// What its machine was described by, which machines that go on from it do not make again.
      let deviceTree: [UInt8]?
    }

    private var guests: [String: Task<Frozen, any Error>] = [:]

    /// A guest on a platform that goes on without it.
    struct PlatformMistake: Error, CustomStringConvertible {
      let name: String

      var description: String {
        "'\(name)' is on an SCMI platform of another guest's, which is not in its snapshot: leave bootedOnce(as:) or "
          + "scmi(sharing:agent:) out"
      }
    }

    /// The guest of a name, which is booted for the first who asks. Who asks has a machine's place.
    func guest(_ name: String, of setup: GuestSetup) async throws -> Frozen {
      if let task = guests[name] { return try await task.value }
      let task = Task { try await Self.boot(name, setup) }
      guests[name] = task
      return try await task.value
    }

    private static func boot(_ name: String, _ setup: GuestSetup) async throws -> Frozen {
      if case .running = try setup.platform?() { throw PlatformMistake(name: name) }
      let platform = try setup.makePlatform()
      var options = Guest.Options()
      options.withAgent = setup.hasAgent
      var configuration = try await setup.configure()
      setup.addPlatform(to: &configuration)
      let evidence = try GuestEvidence()
      evidence.record(&configuration)
      let guest = try Guest.start(configuration, platform: platform, options)
      do {
        if let (text, limit) = setup.prompt { try await guest.console.expect(text, within: limit) }
        if setup.hasAgent { try await guest.waitForAgent(within: .seconds(120)) }
        let directory = "/tmp/apus-frozen-\(getpid())-\(name.utf8.map { String($0, radix: 16) }.joined())"
        var way = SnapshotOptions()
        way.keepsSharedPlatform = true
        try await guest.snapshot(to: directory, way)
        let snapshot = try MachineSnapshot(directory)
        // Its files are open, and those who restore it have them from there.
        snapshot.removeFiles()
        await guest.stop()
        return Frozen(snapshot: snapshot, deviceTree: evidence.deviceTree(of: guest))
      } catch {
        await guest.stop()
        throw error
      }
    }
  }
#endif
