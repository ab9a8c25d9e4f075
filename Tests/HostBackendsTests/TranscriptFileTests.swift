import CHost
import Glibc
import Host
import Logging
import SCMI
import SCMIFile
import Synchronization
import TestSupport
import Testing

@testable import HostBackends

@Suite(.timeLimit(.minutes(10))) struct TranscriptFileTests {
  private let folder: TemporaryFolder
  private let log = LogRecorder(from: .trace)

  init() throws {
    folder = try TemporaryFolder()
  }

  private func record(_ sequence: Int, agentName: String = "os") throws -> TranscriptRecord {
    // A request for the version of the base protocol.
    let agent = #""agent":1,"agentName":"\#(agentName)""#
    let line = #"{"sequence":\#(sequence),"time":1,\#(agent),"kind":"request","raw":"00400000"}"#
    return try #require(try TranscriptRecord.records(lines: line).first)
  }

  @Test func aFileHasEveryRecordInOrder() throws {
    let path = folder.path("transcript")
    let files = RunFiles()
    let file = try TranscriptFile(path: path, files: files, logger: log.logger) { $0() }
    files.keep()

    for sequence in 0..<1000 { file.append(try record(sequence)) }
    file.finish(by: HostClock.monotonic + 10_000_000_000) { false }

    let text = String(decoding: folder.read("transcript") ?? [], as: UTF8.self)
    #expect(try TranscriptRecord.records(lines: text).map(\.sequence) == Array(0..<1000))
    #expect(log.messages.isEmpty)
  }

  @Test func aReaderThatStopsMakesGapsInTheSequenceThatAreCountedAndHoldsNobodyUp() throws {
    let path = folder.path("fifo")
    // SAFETY: the path holds for the calls.
    try #require(unsafe mkfifo(path, 0o600) == 0)
    let reader = unsafe open(path, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    let later = Mutex<[@Sendable () -> Void]>([])
    let file = try TranscriptFile(path: path, files: RunFiles(), logger: log.logger) { work in
      later.withLock { $0.append(work) }
    }
    let one = try record(0, agentName: String(repeating: "a", count: 4000))

    // Some 4 KiB each: more than the queue and the pipe have together.
    for _ in 0..<1500 { file.append(one) }
    // Whoever records holds the platform: it is another thread that may wait for the logger.
    #expect(log.messages.isEmpty)
    for work in later.withLock({ $0 }) { work() }
    file.finish(by: HostClock.monotonic + 1_000_000) { false }

    let lines = log.messages
    #expect(lines.count == 3)
    #expect(lines.first?.contains("some are left out from here on") == true)
    #expect(lines.dropFirst().first?.contains(" messages: it was not written fast enough") == true)
    #expect(lines.last?.contains("lacks its end") == true)
  }
}
