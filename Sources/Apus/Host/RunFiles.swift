internal import CLinux
internal import Glibc
import KVM

/// The files that a run writes as it goes: the console's, those of ports, the transcript.
///
/// They are opened before the machine starts. Those that were not there before go again unless it does.
final class RunFiles {
  private var made: [String] = []

  deinit {
    // SAFETY: the path holds for the call.
    for path in made { _ = unsafe unlink(path) }
  }

  /// Opens or makes a file and empties it. Writing to it never waits: where there is no room the error is EAGAIN.
  func open(_ path: String) throws(OutputFileError) -> OwnedDescriptor {
    // A pipe that nobody reads is an error and not a place to wait.
    let flags = O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
    // SAFETY: the path holds for the calls.
    let new = unsafe Glibc.open(path, flags | O_CREAT | O_EXCL, 0o666)
    if new >= 0 { made.append(path) }
    // A link that leads nowhere is there and is not, so that an existing file may have to be made.
    let number = new < 0 && clinux_errno() == EEXIST ? unsafe Glibc.open(path, flags | O_CREAT, 0o666) : new
    guard number >= 0 else { throw OutputFileError(file: path, errno: clinux_errno()) }
    return OwnedDescriptor(owning: number)
  }

  /// The machine starts: what was made stays.
  func keep() {
    made = []
  }
}
