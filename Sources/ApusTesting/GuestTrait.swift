#if canImport(Testing)
  internal import Apus
  public import ApusGuest
  internal import Synchronization
  public import Testing

  extension Trait where Self == GuestTrait {
    /// A guest for the test, started before it and ended behind it: ``Guest/current``.
    ///
    /// - Parameters:
    ///   - setup: what guest.
    ///   - scope: whether each test of a suite has a guest of its own, or all share one. A test has one of its own.
    ///   - limit: how long the guest may run on a machine that has nothing else to do. Then it is ended, and the test
    ///     has failed.
    public static func guest(
      _ setup: GuestSetup,
      for scope: GuestTrait.Scope = .eachTest,
      limit: Duration = .seconds(180)
    ) -> Self {
      GuestTrait(setup: setup, scope: scope, limit: limit)
    }
  }

  /// Gives tests a guest: see ``Testing/Trait/guest(_:for:limit:)``.
  ///
  /// No more guests run at once than the host has processors and memory for. A test fails where its guest ends by
  /// itself in another way than by power-off, and where it does not end within the limit. What the guest and its
  /// machine have left is attached to a test that fails: the console, the kernel's log, the SCMI platform's
  /// transcript, the machine's report and its device tree.
  public struct GuestTrait: TestTrait, SuiteTrait, TestScoping {
    /// Whose a guest is.
    public enum Scope: Sendable {
      /// Each test has its own.
      case eachTest
      /// All tests of a suite share one.
      case suite
    }

    let setup: GuestSetup
    let scope: Scope
    let limit: Duration

    /// A suite hands a guest for each test on to its tests.
    public var isRecursive: Bool { scope == .eachTest }

    /// Whose scope it is: a test's, or that of a suite whose tests share a guest.
    public func scopeProvider(for test: Test, testCase: Test.Case?) -> GuestTrait? {
      test.isSuite == (scope == .suite) && (test.isSuite || testCase != nil) ? self : nil
    }

    /// Starts a guest, runs the tests with it, and ends it.
    ///
    /// - Throws: what the test throws, and where the machine cannot be made or started.
    public func provideScope(
      for test: Test,
      testCase: Test.Case?,
      performing body: @Sendable () async throws -> Void
    ) async throws {
      let failure = Failure()
      let watch = IssueHandlingTrait.compactMapIssues { issue in
        failure.note()
        return issue
      }
      try await watch.provideScope(for: test, testCase: testCase) {
        try await run(body, failure)
      }
    }

    private func run(_ body: @Sendable () async throws -> Void, _ failure: Failure) async throws {
      let evidence = try GuestEvidence()
      let configuration = try await evidence.recording(setup.configure())
      let platform = try evidence.platform(setup)
      // A second guest beside the one that this test has: waiting for its place could be waiting for itself.
      let need = Guest.inScope == nil ? MachineSlots.Need(configuration) : nil
      try await MachineSlots.shared.withSlot(need) {
        var options = Guest.Options()
        options.withAgent = setup.hasAgent
        let guest = try Guest.start(evidence.withPlatform(configuration, setup), platform: platform, options)
        let clock = GuestClock(guest, limit: limit)
        do {
          try await Guest.$inScope.withValue(guest) { try await body() }
        } catch {
          failure.note()
          await end(guest, clock, failure)
          await evidence.attach(of: guest)
          throw error
        }
        await end(guest, clock, failure)
        if failure.isNoted { await evidence.attach(of: guest) }
      }
    }

    /// Ends the machine, and tells where it had ended as no test wants it.
    private func end(_ guest: Guest, _ clock: GuestClock, _ failure: Failure) async {
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
  }

  /// Whether a test has failed so far.
  final class Failure: Sendable {
    private let state = Atomic(false)

    var isNoted: Bool { state.load(ordering: .acquiring) }

    func note() { state.store(true, ordering: .releasing) }
  }

  extension Guest {
    @TaskLocal static var inScope: Guest?

    /// The guest of the test that runs.
    ///
    /// - Throws: ``NoGuest`` in a test without the trait ``Testing/Trait/guest(_:for:limit:)``.
    public static var current: Guest {
      get throws(NoGuest) {
        guard let inScope else { throw NoGuest() }
        return inScope
      }
    }

    /// A test without a guest that wants one.
    public struct NoGuest: Error, CustomStringConvertible {
      public var description: String { "this test has no guest: give it or its suite the trait .guest(…)" }
    }
  }
#endif
