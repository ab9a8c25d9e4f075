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

  init(path: String, logger: Logger) throws(OutputFileError) {
    // SAFETY: the path holds for the call.
    let number = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0o666)
    guard number >= 0 else { throw OutputFileError(file: path, errno: clinux_errno()) }
    descriptor = OwnedDescriptor(owning: number)
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
