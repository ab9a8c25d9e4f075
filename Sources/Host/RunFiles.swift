internal import CHost
internal import Glibc

/// The files that a run writes as it goes: the console's, those of ports, the transcript.
///
/// They are opened before the machine starts. Those that were not there before go again unless it does.
package final class RunFiles {
  private var made: [MadeName] = []

  package init() {}

  deinit {
    for name in made { name.remove() }
  }

  /// Opens or makes a file, which is this machine's alone from then on, and empties it. Writing to it never waits:
  /// where there is no room the error is EAGAIN.
  package func open(_ path: String) throws(OutputFileError) -> OwnedDescriptor {
    var isNew = false
    let descriptor = try OutputFile.open(path, isNew: &isNew)
    if isNew { made.append(MadeName(path, descriptor: descriptor.rawValue)) }
    // A pipe or a terminal cannot be cut, and needs not.
    _ = ftruncate(descriptor.rawValue, 0)
    return descriptor
  }

  /// The machine starts: what was made stays.
  package func keep() {
    made = []
  }
}
