internal import Apus
internal import ApusHarness
internal import Host

/// What kept a test from running to its end.
struct TestTrouble: Error {
  let cause: GuestError
  /// In one line.
  let text: String
  /// What else there is to tell.
  var lines: [String] = []
  /// What the test had told until then.
  var result: TestResult?

  /// Whether its time was over.
  var isLate: Bool { if case .timedOut = cause { true } else { false } }

  init(_ cause: GuestError, _ text: String, lines: [String] = [], result: TestResult? = nil) {
    (self.cause, self.text, self.lines, self.result) = (cause, text, lines, result)
  }

  /// - Parameters:
  ///   - what: what did not come to its end.
  ///   - reason: why the guest's kernel refused it.
  init(_ cause: GuestError, during what: String, result: TestResult? = nil, reason: (Int32) -> String) {
    let text =
      switch cause {
      case .ended(_, let outcome, _): "the machine ended during \(what): \(outcome.message)"
      case .timedOut(_, let limit, _): "\(what) did not end within \(limit.inSeconds)"
      case .agentLost: "the guest's agent was killed, or the guest reset, during \(what)"
      case .refused(_, let errno): "\(what): \(reason(errno))"
      case .noAgent, .cancelled: "\(cause)"
      }
    self.init(cause, text, result: result)
  }

  /// The guest's start.
  static func start(_ cause: GuestError) -> TestTrouble {
    guard case .timedOut(_, let limit, _) = cause else {
      return TestTrouble(cause, during: "its start") { errorText($0) }
    }
    return TestTrouble(cause, "no agent came in the guest within \(limit.inSeconds): \(Guest.agentNeeds)")
  }

  /// A module that was not loaded.
  ///
  /// - Parameter log: the kernel's, where it can be read.
  static func module(_ name: String, _ cause: GuestError, log: String?) -> TestTrouble {
    var trouble = TestTrouble(cause, during: "loading \(name)") { errno in
      if errno == noSystemCall { return "the kernel loads no modules; build it with CONFIG_MODULES" }
      let advice = "; it has to be built for this kernel, whose last lines say more"
      return errorText(errno) + (errno == noProgram || errno == notFound ? advice : "")
    }
    guard case .refused(_, let errno) = cause, errno != noSystemCall, let log else { return trouble }
    let lines = log.split { $0 == "\n" || $0 == "\r\n" }.suffix(kernelLinesShown)
    trouble.lines = lines.map { line in
      // A level stands before each: <6>
      let rest = line.first == "<" ? line.drop { $0 != ">" }.dropFirst() : line
      return String(rest)
    }
    return trouble
  }

  private static let kernelLinesShown = 8
  private static let notFound: Int32 = 2
  private static let noProgram: Int32 = 8
  private static let noSystemCall: Int32 = 38
}
