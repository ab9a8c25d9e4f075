import CHost
internal import Glibc
package import Host
package import Logging
package import SCMI
import SCMIFile
import Synchronization

/// A file that gets each message of a platform, or whatever else machines say to each other, as a line of JSON.
///
/// Records come under a lock of the platform's, on which every machine of it waits: none of them waits for the file or
/// its reader. What finds no room is lost, which a gap in the records' sequence numbers shows.
package final class TranscriptFile: Sendable {
  private let lines: LineQueue
  private let path: String
  private let logger: Logger
  private let post: @Sendable (@escaping @Sendable () -> Void) -> Void
  /// What has become of the file, and what of that was said.
  private let state = Atomic<State>(.complete)
  private let said = Atomic<State>(.complete)

  private enum State: UInt8, AtomicRepresentable {
    case complete
    case lossy
    case failed
  }

  /// What waits for the file at most, in bytes: the messages of a guest that finds out all about a large platform.
  private static let capacity = 4 << 20

  /// - Parameters:
  ///   - path: of the file.
  ///   - files: which keep it.
  ///   - logger: hears of losses, on the thread that `post` leads to.
  ///   - post: has something done on the machine's device thread: no other machine of the platform waits for who hears.
  /// - Throws: where the file cannot be made or opened.
  package init(
    path: String,
    files: RunFiles,
    logger: Logger,
    post: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
  ) throws(OutputFileError) {
    let descriptor = try files.open(path)
    // A line is written as a whole.
    _ = fcntl(descriptor.rawValue, F_SETFL, O_WRONLY | O_APPEND | O_NONBLOCK)
    lines = LineQueue(
      Outlet(owning: descriptor, capacity: Self.capacity),
      loss: { _ in [] }
    )
    self.path = path
    self.logger = logger
    self.post = post
  }

  /// Appends a line. A file that cannot be written any more is left alone. Either loss is said once, when it begins.
  package func append(_ record: TranscriptRecord) { append(json: record.json) }

  /// The same for a line that is JSON already, without its end.
  package func append(json: String) {
    let old = state.load(ordering: .relaxed)
    guard old != .failed else { return }
    let isQueued = lines.append(Array(json.utf8) + [0x0A])
    let new: State = lines.failure != 0 ? .failed : isQueued ? old : .lossy
    guard new != old else { return }
    state.store(new, ordering: .releasing)
    post { [weak self] in self?.say() }
  }

  /// Says what has become of the file, once.
  private func say() {
    let state = state.load(ordering: .acquiring)
    guard said.exchange(state, ordering: .relaxed) != state else { return }
    switch state {
    case .complete: break
    case .lossy:
      logger.warning("the transcript '\(path)' is not written as fast as messages come: some are left out from here on")
    case .failed:
      logger.warning("the transcript ends here: \(OutputFileError(file: path, errno: lines.failure))")
    }
  }

  /// Waits until the file has everything, and says what it lacks. After the last record.
  ///
  /// - Parameters:
  ///   - deadline: until when, in nanoseconds of the monotonic clock.
  ///   - shouldStop: asked again and again whether nobody waits any longer.
  package func finish(by deadline: UInt64, shouldStop: () -> Bool) {
    flush(by: deadline, shouldStop: shouldStop)
    close()
  }

  /// The same before further records, which may come.
  package func flush(by deadline: UInt64, shouldStop: () -> Bool) {
    let isWhole = lines.finish(by: deadline, shouldStop: shouldStop)
    if lines.failure != 0 { state.store(.failed, ordering: .releasing) }
    say()
    let count = lines.droppedCount
    if count > 0 { logger.warning("the transcript '\(path)' lacks \(count) messages: it was not written fast enough") }
    if !isWhole { logger.warning("the transcript '\(path)' lacks its end: it was not read") }
  }

  /// Ends the file, with or without all.
  package func close() { lines.close() }
}
