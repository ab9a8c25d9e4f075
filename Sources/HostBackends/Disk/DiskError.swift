internal import Glibc
package import Host

/// Why a disk could not be opened.
package enum DiskError: Error {
  /// There is no such file.
  case missing(path: String)
  /// It is neither a file nor a block device.
  case notADisk(path: String)
  /// Somebody else has it open in a way that does not go together with this one.
  case inUse(path: String)
  /// The host does not let it be opened.
  case cannotOpen(path: String, errno: Int32, isReadOnly: Bool)
  /// What was written to it may not be on stable storage.
  case cannotFlush(path: String, errno: Int32)
  /// Its size in bytes is no multiple of a sector's.
  case odd(path: String, size: UInt64)
  /// It cannot have another size, or be another one; the reason says why and what to do.
  case cannotChange(path: String, reason: String)
}

extension DiskError {
  /// What kind of mistake it is.
  package var kind: FailureKind {
    switch self {
    case .missing: .inputNotFound
    case .notADisk, .odd: .badInput
    case .cannotOpen(_, let errno, _): ErrorNumber.isHostFailure(errno) ? .hostFailure : .inputNotFound
    case .inUse, .cannotFlush: .hostFailure
    case .cannotChange: .usage
    }
  }
}

extension DiskError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .missing(""): "the path of the disk's image is empty; give one"
    case .missing(let path): "disk '\(path)' does not exist; make it (truncate -s 1G '\(path)') or check the path"
    case .notADisk(let path): "disk '\(path)' is neither a regular file nor a block device; give one of these"
    case .inUse(let path):
      "disk '\(path)' is in use by another Apus; end that one, copy the image, or open it in both with readonly"
    case .cannotOpen(let path, let errno, let isReadOnly):
      "disk '\(path)' cannot be opened for \(isReadOnly ? "reading" : "reading and writing"): \(errorText(errno)); "
        + ErrorNumber.adviceForInput(errno)
        + (isReadOnly || ErrorNumber.isHostFailure(errno) ? "" : ", or add readonly if the guest need not write")
    case .cannotFlush(let path, let errno):
      "disk '\(path)' cannot be written to stable storage: \(errorText(errno)); look at the host's log, and check the image"
    case .cannotChange(let path, let reason): "disk '\(path)' \(reason)"
    case .odd(let path, 0): "disk '\(path)' is empty; make it as long as the disk is to be (truncate -s 1G '\(path)')"
    case .odd(let path, let size):
      "disk '\(path)' has \(size) bytes, which is no multiple of 512; "
        + "make it longer (truncate -s %512 '\(path)')"
    }
  }
}
