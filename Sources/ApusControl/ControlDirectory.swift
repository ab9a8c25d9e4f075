internal import CHost
internal import Glibc
package import Host

/// The folder in which the running machines of a user are registered: a socket or a link to one for each.
///
/// `apus` in `XDG_RUNTIME_DIR`; without that in `/run/user/UID`, where that is this user's, and otherwise
/// `/tmp/apus-UID`. It is this user's alone.
package struct ControlDirectory {
  /// The folder.
  package let path: String

  /// One machine.
  package struct Entry: Equatable {
    /// By which clients know it.
    package let name: String
    /// Its socket, or a link to it.
    package let path: String
  }

  /// Where it is, whether it exists or not.
  package static var place: String {
    // SAFETY: the environment is not changed while Apus runs; the text is copied at once.
    // A path that is not absolute is to be ignored (XDG Base Directory Specification).
    if let folder = unsafe getenv("XDG_RUNTIME_DIR"), unsafe folder[0] == 0x2F {
      return unsafe HostPath.text(UnsafeRawBufferPointer(start: folder, count: strlen(folder))) + "/apus"
    }
    let user = decimalDigits(UInt64(geteuid()))
    let folder = "/run/user/\(user)"
    return exists(folder) ? "\(folder)/apus" : "/tmp/apus-\(user)"
  }

  private static func exists(_ folder: String) -> Bool {
    // SAFETY: the path holds for the call.
    unsafe folder.withHostPath { unsafe access($0, W_OK | X_OK) } == 0
  }

  /// The folder, made where it is not there.
  ///
  /// - Parameter path: where, which is elsewhere for tests alone.
  /// - Throws: where it cannot be made, or is not this user's alone.
  package static func make(at path: String = place) throws(ListeningError) -> ControlDirectory {
    // SAFETY: the path holds for the call.
    let result = unsafe path.withHostPath { unsafe chost_private_folder($0) }
    guard result == 0 else { throw failure(path, -result, "cannot make") }
    return ControlDirectory(path: path)
  }

  /// The folder, where it is there.
  ///
  /// - Returns: nil where it is not, and a machine could make it: none is running.
  /// - Throws: where it is not this user's alone, or could not be made.
  package static func find(at path: String = place) throws(ListeningError) -> ControlDirectory? {
    // SAFETY: the path holds for the call.
    let result = unsafe path.withHostPath { unsafe chost_private_folder_check($0) }
    guard result != -ENOENT else {
      let parent = path.lastIndex(of: "/").map { path[...$0] } ?? ""
      guard exists("\(parent).") else { throw failure(path, chost_errno(), "cannot use") }
      return nil
    }
    guard result == 0 else { throw failure(path, -result, "cannot use") }
    return ControlDirectory(path: path)
  }

  private static func failure(_ path: String, _ errno: Int32, _ what: String) -> ListeningError {
    guard errno != EPERM else {
      return .init(.cannotCreate, "'\(path)' is not a folder of this user's alone; remove it, or set XDG_RUNTIME_DIR")
    }
    return .init(
      ErrorNumber.isHostFailure(errno) ? .hostFailure : .cannotCreate,
      "\(what) '\(path)': \(errorText(errno)); set XDG_RUNTIME_DIR to a folder of yours"
    )
  }

  /// Keeps others from registering until the value goes. Where there is no lock to be had there is none.
  func lock() -> ControlLock? { ControlLock(path + "/.lock") }

  /// What a machine's name is in the folder: without what cannot be in a file's name, or what a command line or a
  /// terminal would take for something else.
  static func entryName(_ machine: String) -> String {
    let name = isOrdinary(machine) ? machine : mendedName(machine)
    // The command has that word for itself.
    return name == Control.Schema.name ? "_" + name : name
  }

  /// Whether a name is of ASCII letters, digits and underscores: most are, and what goes by characters has pages of its
  /// own in the program's file.
  private static func isOrdinary(_ name: String) -> Bool {
    !name.isEmpty
      && name.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
        default: false
        }
      }
  }

  private static func mendedName(_ machine: String) -> String {
    var name = ""
    for scalar in machine.unicodeScalars {
      name.unicodeScalars.append(scalar == "/" || !String.isPlain(scalar) ? "_" : scalar)
    }
    if name.isEmpty || name.first == "." || name.first == "-" { name = "_" + name.dropFirst() }
    return name
  }

  func path(of entry: String) -> String { "\(path)/\(entry)" }

  /// A name that no machine has which runs: the machine's own, or that with a number. What machines left that have gone
  /// is taken away. While it is locked.
  func freeName(for machine: String) -> String {
    let name = Self.entryName(machine)
    var entry = name
    var number = 1
    while !isFree(entry) {
      number += 1
      entry = "\(name)-\(number)"
    }
    return entry
  }

  private func isFree(_ entry: String) -> Bool {
    let place = path(of: entry)
    guard FileIdentity(named: place) != nil else { return true }
    guard isStale(place) else { return false }
    MadeName(place).remove()
    return FileIdentity(named: place) == nil
  }

  /// Whether what is registered has gone: nobody listens there, or the link leads nowhere.
  private func isStale(_ place: String) -> Bool {
    guard let target = FileIdentity(place), case .file = target else { return true }
    // SAFETY: the path holds for the call.
    return unsafe place.withHostPath { unsafe chost_socket_is_stale($0) }
  }

  /// Registers a socket that is elsewhere.
  func link(_ entry: String, to target: String) -> MadeName? {
    // SAFETY: the path holds for the call.
    guard let real = unsafe target.withHostPath({ unsafe realpath($0, nil) }) else { return nil }
    defer { unsafe free(real) }
    let place = path(of: entry)
    // SAFETY: both texts hold for the call.
    guard unsafe place.withHostPath({ unsafe symlink(real, $0) }) == 0 else { return nil }
    return MadeName(place)
  }

  /// All machines that run, by name. What others left is taken away.
  package func machines() -> [Entry] {
    let lock = lock()
    defer { _ = lock }
    var entries: [Entry] = []
    // SAFETY: the path holds for the call; the names that come are copied at once.
    guard let folder = unsafe path.withHostPath({ unsafe opendir($0) }) else { return [] }
    defer { unsafe closedir(folder) }
    while let item = unsafe readdir(folder) {
      let name = unsafe withUnsafeBytes(of: &item.pointee.d_name) { bytes in
        unsafe HostPath.text(UnsafeRawBufferPointer(rebasing: bytes.prefix { $0 != 0 }))
      }
      guard name.first != "." else { continue }
      let entry = Entry(name: name, path: path(of: name))
      if !isFree(entry.name) { entries.append(entry) }
    }
    return entries.sorted { $0.name < $1.name }
  }
}

/// A lock that goes with the value, or with the process.
final class ControlLock {
  private let descriptor: OwnedDescriptor

  init?(_ path: String) {
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_lock_file($0) }
    guard number >= 0 else { return nil }
    descriptor = OwnedDescriptor(owning: number)
  }
}
