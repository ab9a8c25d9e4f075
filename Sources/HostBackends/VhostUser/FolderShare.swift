internal import CHost
internal import Glibc
package import Host

/// Looks at a folder that is to be shown to a guest.
package enum FolderShare {
  /// Why a folder cannot be shown; nil: it can, as far as can be seen.
  package static func problem(_ path: String) -> (kind: FailureKind, text: String)? {
    // SAFETY: the path holds for the calls.
    let descriptor = unsafe path.withHostPath { unsafe open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard descriptor >= 0 else { return problem(path, errno: chost_errno()) }
    close(descriptor)
    // SAFETY: as above.
    guard unsafe path.withHostPath({ unsafe access($0, R_OK | X_OK) }) == 0 else {
      return problem(path, errno: chost_errno())
    }
    guard HostPath.isPlain(path) else {
      return (
        .inputNotFound,
        "'\(path)' cannot be shown to the guest: virtiofsd takes names in UTF-8 alone; give a link to it with such a name"
      )
    }
    return nil
  }

  private static func problem(_ path: String, errno: Int32) -> (kind: FailureKind, text: String) {
    let advice = errno == ENOTDIR ? "name a folder" : ErrorNumber.adviceForInput(errno)
    let kind: FailureKind = ErrorNumber.isHostFailure(errno) ? .hostFailure : .inputNotFound
    return (kind, "'\(path)' cannot be shown to the guest: \(errorText(errno)); \(advice)")
  }
}
