import Logging
import TestSupport
import Testing
import Virtio

@testable import Apus

@Suite struct RunLogTests {
  private let log = LogRecorder(from: .info)
  private let logger: Logger

  init() {
    logger = RunLog.logger(over: log.logger)
  }

  @Test func whatAGuestOrAPeerChoseIsOnePlainLine() {
    let chosen = "passt\u{1B}]0;title\u{7}\n2026-11-28 error apus: the host is on fire"

    logger.warning("net0: \(chosen)")

    #expect(
      log.lines == ["warning net0: passt\\x1b]0;title\\x07\\n2026-11-28 error apus: the host is on fire"]
    )
  }

  @Test func aLineThatComesAgainAndAgainEndsAndOthersGoOn() {
    for number in 0..<10_000 { logger.warning("fault \(number)") }
    logger.info("something else")

    #expect(log.lines.count == RunLog.limit + 1)
    #expect(log.lines[RunLog.limit - 1].hasSuffix("(further lines like this one are not logged)"))
    #expect(log.lines.last == "info something else")
  }

  @Test func theCallersLevelHolds() {
    logger.debug("detail")

    #expect(logger.logLevel == .info)
    #expect(log.lines.isEmpty)
  }

  /// Faults are reported by each boot's devices, which are new: what bounds them is the run's log.
  @Test func faultsOfAGuestThatRebootsForEverAreBounded() {
    for _ in 0..<1000 {
      let log = FaultLog(logger, MachineEvents())
      for _ in 0..<16 { log.driverMisbehaved(.init(device: "block0", queue: 0, fault: .chainTooLong)) }
    }

    #expect(log.lines.count == RunLog.limit)
  }
}
