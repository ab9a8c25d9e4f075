import CHost
internal import Glibc
package import Host
package import Logging
package import SCMI
import SCMIFile
import Synchronization

/// A file that gets each message of a platform as a line of JSON.
///
/// Records come under the platform's lock, on which every machine of that platform waits: none of them waits for the
/// file or its reader. What finds no room is lost, which a gap in the records' sequence numbers shows.
package final class TranscriptFile: Sendable {
  private let lines: LineQueue
  private let path: String
  private let logger: Logger
  private let state = Atomic<State>(.complete)

  private enum State: UInt8, AtomicRepresentable {
    case complete
    case lossy
    case failed
  }

  /// What waits for the file at most, in bytes: the messages of a guest that finds out all about a large platform.
  private static let capacity = 4 << 20

  /// - Throws: where the file cannot be made or opened.
  package init(path: String, files: RunFiles, logger: Logger) throws(OutputFileError) {
    let descriptor = try files.open(path)
    // A line is written as a whole.
    _ = fcntl(descriptor.rawValue, F_SETFL, O_WRONLY | O_APPEND | O_NONBLOCK)
    lines = LineQueue(
      Outlet(owning: descriptor, capacity: Self.capacity),
      loss: { _ in [] }
    )
    self.path = path
    self.logger = logger
  }

  /// Appends a line. A file that cannot be written any more is left alone. Either loss is said once, when it begins.
  package func append(_ record: TranscriptRecord) {
    guard state.load(ordering: .relaxed) != .failed else { return }
    if !lines.append(Array(record.json.utf8) + [0x0A]),
      state.compareExchange(expected: .complete, desired: .lossy, ordering: .relaxed).exchanged
    {
      logger.warning("the transcript '\(path)' is not written as fast as messages come: some are left out from here on")
    }
    noteFailure()
  }

  private func noteFailure() {
    let errno = lines.failure
    guard errno != 0, state.exchange(.failed, ordering: .relaxed) != .failed else { return }
    logger.warning("the transcript ends here: \(OutputFileError(file: path, errno: errno))")
  }

  /// Waits until the file has everything, and says what it lacks. After the last record.
  ///
  /// - Parameters:
  ///   - deadline: until when, in nanoseconds of the monotonic clock.
  ///   - shouldStop: asked again and again whether nobody waits any longer.
  package func finish(by deadline: UInt64, shouldStop: () -> Bool) {
    let isWhole = lines.finish(by: deadline, shouldStop: shouldStop)
    noteFailure()
    let count = lines.droppedCount
    if count > 0 { logger.warning("the transcript '\(path)' lacks \(count) messages: it was not written fast enough") }
    if !isWhole { logger.warning("the transcript '\(path)' lacks its end: it was not read") }
    lines.close()
  }
}
