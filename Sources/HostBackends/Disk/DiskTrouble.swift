internal import Glibc
import Host
package import Logging
import Synchronization

/// What the host would not do with a disk's image: the guest gets an I/O error, and people a line of the log. From any
/// thread.
package final class DiskTrouble: Sendable {
  /// How many are logged. A disk that is full or gone can fail for every request.
  package static let loggedCount = 16

  private let name: String
  private let path: String
  private let logger: Logger
  private let count = Atomic<Int>(0)

  package init(name: String, path: String, _ logger: Logger) {
    self.name = name
    self.path = path
    self.logger = logger
  }

  /// The image is open, and nothing keeps others from writing it.
  package func noteLack(ofLock errno: Int32) {
    logger.warning(
      """
      \(name): disk '\(path)' cannot be locked: \(errorText(errno)); \
      see to it that nobody else writes it while the guest runs
      """
    )
  }

  /// Says that a request has failed, the first few times. From any thread.
  package func note(_ request: DiskRequest, errno: Int32) {
    let before = count.add(1, ordering: .relaxed).oldValue
    guard before < Self.loggedCount else { return }
    let isBeyondEnd = errno == EIO && request.isRead
    logger.warning(
      """
      \(name): \(request) of disk '\(path)' failed: \(errorText(errno))\
      \(isBeyondEnd ? "; is the image shorter than it was?" : ""): the guest gets an I/O error
      """
    )
    if before == Self.loggedCount - 1 { logger.warning("\(name): further failures are not logged") }
  }
}

extension DiskRequest: CustomStringConvertible {
  package var description: String {
    switch work {
    case .read: "reading at byte \(offset)"
    case .write: "writing at byte \(offset)"
    case .flush: "a flush"
    case .discard: "discarding \(count) bytes at byte \(offset)"
    case .writeZeroes: "zeroing \(count) bytes at byte \(offset)"
    }
  }

  /// Whether it is one that only reads.
  package var isRead: Bool { if case .read = work { true } else { false } }
}
