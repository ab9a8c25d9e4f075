internal import CLinux
internal import Glibc
import KVM
internal import Logging
import SCMI
internal import Synchronization

/// A file that gets each message of a platform as a line of JSON.
final class TranscriptFile: Sendable {
  private let descriptor: OwnedDescriptor
  private let path: String
  private let logger: Logger
  private let hasFailed = Atomic<Bool>(false)

  init(path: String, files: RunFiles, logger: Logger) throws(OutputFileError) {
    descriptor = try files.open(path)
    // A line is written as a whole.
    _ = fcntl(descriptor.rawValue, F_SETFL, O_WRONLY | O_APPEND)
    self.path = path
    self.logger = logger
  }

  /// Appends a line. A file that cannot be written any more is left alone, which is said once.
  func append(_ record: TranscriptRecord) {
    guard !hasFailed.load(ordering: .relaxed) else { return }
    guard let errno = writeAll(Array(record.json.utf8) + [0x0A], to: descriptor.rawValue) else { return }
    hasFailed.store(true, ordering: .relaxed)
    logger.warning("the transcript ends here: \(OutputFileError(file: path, errno: errno))")
  }
}
