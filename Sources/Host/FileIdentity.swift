internal import CHost
internal import Glibc

/// A file of the host, however it is called: two paths of one file are equal.
package enum FileIdentity: Equatable {
  /// Something that is there.
  case file(device: UInt64, number: UInt64)
  /// A name that nothing has yet, in a folder; or in one that is not there either.
  case name(String, in: Folder?)

  /// A folder, whatever it is called.
  package struct Folder: Equatable {
    /// The file system's number, which may be another after the next boot.
    package let device: UInt64
    /// Its number in that file system.
    package let number: UInt64
  }

  /// What a path leads to.
  ///
  /// - Returns: `nil` for what any number of users may have at once: a device like /dev/null, a pipe.
  package init?(_ path: String) {
    guard let status = Self.status(path, followingLinks: true) else {
      let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
      let folder = Self.status("\(path.dropLast(name.count))./", followingLinks: true)
      self =
        folder.map { .name(String(name), in: Folder(device: UInt64($0.st_dev), number: UInt64($0.st_ino))) }
        ?? .name(path, in: nil)
      return
    }
    guard [S_IFREG, S_IFSOCK].contains(status.st_mode & S_IFMT) else { return nil }
    self.init(status)
  }

  /// What has this very name, be it a link.
  package init?(named path: String) {
    guard let status = Self.status(path, followingLinks: false) else { return nil }
    self.init(status)
  }

  /// What a descriptor leads to.
  package init?(descriptor: Int32) {
    var status = stat()
    // SAFETY: the structure holds for the call.
    guard unsafe fstat(descriptor, &status) == 0 else { return nil }
    self.init(status)
  }

  /// The socket that a descriptor leads to; nil where it leads to something else.
  package init?(socket descriptor: Int32) {
    var status = stat()
    // SAFETY: as above.
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
    self.init(status)
  }

  private init(_ status: stat) {
    self = .file(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
  }

  private static func status(_ path: String, followingLinks: Bool) -> stat? {
    var status = stat()
    // SAFETY: path and structure hold for the call.
    let result = unsafe path.withHostPath { unsafe followingLinks ? stat($0, &status) : lstat($0, &status) }
    return result == 0 ? status : nil
  }
}

/// A name that this process has given to a file, a socket or a link, and takes away again.
///
/// Somebody else may have put another thing there by then: that stays.
package final class MadeName: Sendable {
  /// The name: as it was given, or where a link of that name leads.
  private let path: String
  /// What was made, held so that its number is nothing else's until then. It can be neither read nor written.
  private let made: OwnedDescriptor?
  private let number: Int32?

  /// - Parameter descriptor: of the file, where it has one; otherwise what is at the path now is what was made.
  package init(_ path: String, descriptor: Int32? = nil) {
    var path = path
    var held = Self.look(path, descriptor)
    if held == nil, let descriptor, let target = HostPath.resolved(path) {
      path = target
      held = Self.look(target, descriptor)
    }
    self.path = path
    number = held?.rawValue
    made = held
  }

  /// What is at the path, unless it is not what the descriptor leads to.
  private static func look(_ path: String, _ descriptor: Int32?) -> OwnedDescriptor? {
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe open($0, pathOnly | O_NOFOLLOW | O_CLOEXEC) }
    guard number >= 0 else { return nil }
    let held = OwnedDescriptor(owning: number)
    guard let descriptor, FileIdentity(descriptor: descriptor) != FileIdentity(descriptor: number) else { return held }
    return nil
  }

  /// O_PATH, which the C library shows with extensions only.
  private static let pathOnly: Int32 = 0o10_000_000

  /// Takes the name away if it still is that of what was made.
  package func remove() {
    guard let number, FileIdentity(named: path) == FileIdentity(descriptor: number) else { return }
    // SAFETY: the path holds for the call.
    _ = unsafe path.withHostPath { unsafe unlink($0) }
  }
}

extension HostPath {
  /// Where a path leads, without links; nil where nothing is there.
  static func resolved(_ path: String) -> String? {
    // SAFETY: the path holds for the call, whose result is a text that is freed here.
    guard let target = unsafe path.withHostPath({ unsafe realpath($0, nil) }) else { return nil }
    defer { unsafe free(target) }
    return unsafe text(UnsafeRawBufferPointer(start: target, count: strlen(target)))
  }

  /// What a link says; nil for what is none.
  static func linkTarget(_ path: String) -> String? {
    // SAFETY: path and buffer hold for the call, and the size goes along.
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let base = buffer.baseAddress else { return nil }
      let count = unsafe path.withHostPath { unsafe readlink($0, base, buffer.count) }
      guard count > 0 else { return nil }
      return unsafe text(UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[..<count])))
    }
  }
}
