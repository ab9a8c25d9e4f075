#if canImport(Testing)
  internal import Apus
  internal import ApusGuest
  internal import Glibc
  internal import Host

  /// The guests that were booted once, each for all tests that name it.
  actor FrozenGuests {
    static let shared = FrozenGuests()

    private var guests: [String: Task<MachineSnapshot, any Error>] = [:]

    /// A guest on a platform that each test makes anew.
    struct PlatformMistake: Error, CustomStringConvertible {
      let name: String

      var description: String {
        "'\(name)' is on an SCMI platform of its test's, which begins anew for each: leave bootedOnce(as:) or scmi(…) out"
      }
    }

    /// The snapshot of a guest, which is booted for the first who asks. Who asks has a machine's place.
    func snapshot(_ name: String, of setup: GuestSetup) async throws -> MachineSnapshot {
      if let task = guests[name] { return try await task.value }
      let task = Task { try await Self.boot(name, setup) }
      guests[name] = task
      return try await task.value
    }

    private static func boot(_ name: String, _ setup: GuestSetup) async throws -> MachineSnapshot {
      guard setup.platform == nil else { throw PlatformMistake(name: name) }
      var options = Guest.Options()
      options.withAgent = setup.hasAgent
      let guest = try Guest.start(await setup.configure(), options)
      do {
        if let (text, limit) = setup.prompt { try await guest.console.expect(text, within: limit) }
        if setup.hasAgent { try await guest.waitForAgent(within: .seconds(120)) }
        let directory = "/tmp/apus-frozen-\(getpid())-\(name.utf8.map { String($0, radix: 16) }.joined())"
        try await guest.snapshot(to: directory)
        let snapshot = try MachineSnapshot(directory)
        // Its files are open, and those who restore it have them from there.
        snapshot.removeFiles()
        await guest.stop()
        return snapshot
      } catch {
        await guest.stop()
        throw error
      }
    }
  }
#endif
