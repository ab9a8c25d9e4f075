#if canImport(Testing)
  internal import Apus
  public import ApusGuest
  public import Testing

  extension Trait where Self == GuestTrait {
    /// A guest for the test, started before it and ended behind it: `Guest.current`.
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

  /// Gives tests a guest: see `.guest(_:for:limit:)`.
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
    /// - Throws: what the tests throw, and what keeps the guest from starting.
    public func provideScope(
      for test: Test,
      testCase: Test.Case?,
      performing body: @Sendable () async throws -> Void
    ) async throws {
      try await GuestSession(setup, limit: limit).run(in: test, testCase) { guest in
        try await Guest.$inScope.withValue(guest) { try await body() }
      }
    }
  }

  /// Starts a guest, runs `body` with it, and ends it: for a test that wants a second one, or one of its own making.
  ///
  /// What is true of the trait `.guest(…)` is true of it, but that `Guest.current` stays what it was. A guest beside
  /// one that the test has does not wait for a processor of its own.
  ///
  /// - Parameters:
  ///   - setup: what guest.
  ///   - limit: how long the guest may run on a machine that has nothing else to do. Then it is ended, and the test
  ///     has failed.
  ///   - body: drives it.
  /// - Throws: what `body` throws, and what keeps the guest from starting: `ConfigurationError`, `InputFileError` or
  ///   `HostError`, or what the setup throws.
  public func withGuest(
    _ setup: GuestSetup,
    limit: Duration = .seconds(180),
    _ body: @Sendable (Guest) async throws -> Void
  ) async throws {
    guard let test = Test.current else { throw Guest.NoTest() }
    try await GuestSession(setup, limit: limit).run(in: test, Test.Case.current) { guest in
      // A third one has a place beside this one.
      if Guest.inScope != nil { return try await body(guest) }
      try await Guest.$hasPlace.withValue(true) { try await body(guest) }
    }
  }

  extension Guest {
    @TaskLocal static var inScope: Guest?
    /// Whether the test has a guest's place already, without its being the current guest.
    @TaskLocal static var hasPlace = false

    /// The guest of the test that runs.
    ///
    /// - Throws: ``NoGuest`` in a test without the trait `.guest(_:for:limit:)`.
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

    /// A guest for a test where there is none.
    struct NoTest: Error, CustomStringConvertible {
      var description: String { "withGuest(…) belongs into a test; elsewhere Guest.start(…) starts a guest" }
    }
  }
#endif
