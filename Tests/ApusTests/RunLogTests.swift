import Logging
import Synchronization
import Testing
import Virtio

@testable import Apus

/// Keeps what is logged.
private final class Lines: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }

  func append(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct LineHandler: LogHandler {
  let lines: Lines
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  func log(event: LogEvent) { lines.append("\(event.level) \(event.message)") }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
}

@Suite struct RunLogTests {
  private let lines = Lines()
  private let logger: Logger

  init() {
    let lines = lines
    logger = RunLog.logger(over: Logger(label: "test") { _ in LineHandler(lines: lines) })
  }

  @Test func whatAGuestOrAPeerChoseIsOnePlainLine() {
    let chosen = "passt\u{1B}]0;title\u{7}\n2026-11-28 error apus: the host is on fire"

    logger.warning("net0: \(chosen)")

    #expect(
      lines.all == ["warning net0: passt\\x1b]0;title\\x07\\n2026-11-28 error apus: the host is on fire"]
    )
  }

  @Test func aLineThatComesAgainAndAgainEndsAndOthersGoOn() {
    for number in 0..<10_000 { logger.warning("fault \(number)") }
    logger.info("something else")

    #expect(lines.all.count == RunLog.limit + 1)
    #expect(lines.all[RunLog.limit - 1].hasSuffix("(further lines like this one are not logged)"))
    #expect(lines.all.last == "info something else")
  }

  @Test func theCallersLevelHolds() {
    logger.debug("detail")

    #expect(logger.logLevel == .info)
    #expect(lines.all.isEmpty)
  }

  /// Faults are reported by each boot's devices, which are new: what bounds them is the run's log.
  @Test func faultsOfAGuestThatRebootsForEverAreBounded() {
    for _ in 0..<1000 {
      let log = FaultLog(logger)
      for _ in 0..<16 { log.guestMisbehaved(.init(device: "block0", queue: 0, fault: .chainTooLong)) }
    }

    #expect(lines.all.count == RunLog.limit)
  }
}
