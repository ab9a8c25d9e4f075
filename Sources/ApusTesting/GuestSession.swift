#if canImport(Testing)
  internal import Apus
  internal import ApusGuest
  internal import SCMI
  internal import Synchronization
  internal import Testing

  /// A guest's time in a test: started, driven, ended, and its traces kept where the test fails.
  struct GuestSession {
    private let setup: GuestSetup
    private let limit: Duration
    private let failure = Failure()

    init(_ setup: GuestSetup, limit: Duration) {
      (self.setup, self.limit) = (setup, limit)
    }

    func run(
      in test: Test,
      _ testCase: Test.Case?,
      _ body: @Sendable (Guest) async throws -> Void
    ) async throws {
      let failure = failure
      let watch = IssueHandlingTrait.compactMapIssues { issue in
        #if compiler(>=6.3)
          // A known issue is none of a test that fails. Before, nobody can tell.
          if issue.isFailure { failure.note() }
        #else
          failure.note()
        #endif
        return issue
      }
      try await watch.provideScope(for: test, testCase: testCase) { try await run(test, body) }
    }

    private func run(_ test: Test, _ body: @Sendable (Guest) async throws -> Void) async throws {
      let evidence = try GuestEvidence()
      var configuration = try await setup.configure()
      setup.addPlatform(to: &configuration)
      evidence.record(&configuration)
      let platform = try setup.makePlatform()
      // A second guest beside the one that this test has: waiting for its place could be waiting for itself.
      let isBeside = Guest.inScope != nil || Guest.hasPlace
      try await MachineSlots.shared.withSlot(isBeside ? nil : MachineSlots.Need(configuration)) {
        let guest = try await begin(configuration, platform, evidence)
        let clock = GuestClock(guest, limit: limit)
        do {
          if let (text, limit) = setup.promptOfTest { try await guest.console.expect(text, within: limit) }
          try await body(guest)
        } catch {
          failure.note()
          await end(guest, clock)
          await evidence.attach(of: guest, to: test)
          throw error
        }
        await end(guest, clock)
        if failure.isNoted { await evidence.attach(of: guest, to: test) }
      }
    }

    /// Starts the guest, or has it go on.
    private func begin(
      _ configuration: Configuration,
      _ platform: SharedPlatform?,
      _ evidence: GuestEvidence
    ) async throws -> Guest {
      var options = Guest.Options()
      options.withAgent = setup.hasAgent
      switch setup.origin {
      case .boot: return try Guest.start(configuration, platform: platform, options)
      case .snapshot(let open):
        return try Guest.restore(open(), platform: platform, options, changing: evidence.record)
      case .bootedOnce(let name):
        options.restoresPlatform = true
        let frozen = try await FrozenGuests.shared.guest(name, of: setup)
        evidence.keep(deviceTree: frozen.deviceTree)
        let guest = try Guest.restore(frozen.snapshot, platform: platform, options, changing: evidence.record)
        if platform != nil { await Self.waitUntilItGoesOn(guest) }
        return guest
      }
    }

    /// Before that the machine puts its platform where it stood, over what the test would do to it.
    private static func waitUntilItGoesOn(_ guest: Guest) async {
      while let seen = await guest.machine.inspect(), seen.state != .running {
        try? await Task.sleep(for: .milliseconds(1))
      }
    }

    /// Ends the machine, and tells where it had ended as no test wants it.
    private func end(_ guest: Guest, _ clock: GuestClock) async {
      if failure.isNoted, setup.hasAgent { await guest.keepKernelLog() }
      clock.cancel()
      let outcome = await guest.stop()
      if clock.hasPassed {
        Issue.record("the guest ran longer than \(limit), and was ended; its last words:\n\(await guest.lastWords)")
        failure.note()
      } else if !guest.endIsAwaited, outcome.end != .stopped, outcome.end != .poweredOff {
        Issue.record("the guest ended by itself: \(outcome.message); its last words:\n\(await guest.lastWords)")
        failure.note()
      }
    }

    /// Whether a test has failed so far.
    private final class Failure: Sendable {
      private let state = Atomic(false)

      var isNoted: Bool { state.load(ordering: .acquiring) }

      func note() { state.store(true, ordering: .releasing) }
    }
  }
#endif
