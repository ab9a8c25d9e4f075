import Glibc
import TestSupport

/// An image for a guest's disk, gone with all that stands beside it when the test is over.
final class DiskImage: Sendable {
  let path: String
  private let folder: TemporaryFolder

  struct Failure: Error {
    let what: String
  }

  /// A sparse file, with a file system in it if one is named.
  init(mebibytes: Int, fileSystem: String? = nil) throws {
    folder = try TemporaryFolder()
    path = folder.path("image")
    // SAFETY: the path holds for the call.
    let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    defer { close(file) }
    guard ftruncate(file, mebibytes << 20) == 0 else { throw Failure(what: "no image: errno \(errno)") }
    guard let fileSystem else { return }
    let result = try Program(path: "/usr/sbin/mke2fs", ["-q", "-F", "-t", fileSystem, path]).run()
    guard result.status == 0 else { throw Failure(what: "mke2fs: \(result.error)") }
  }

  /// A file of this text.
  convenience init(text: String) throws {
    try self.init(mebibytes: 0)
    let bytes = Array(text.utf8)
    // SAFETY: the path and the buffer hold for the calls, and the buffer's size goes along.
    let file = unsafe open(path, O_WRONLY | O_CLOEXEC)
    defer { close(file) }
    guard unsafe write(file, bytes, bytes.count) == bytes.count else { throw Failure(what: "no image: errno \(errno)") }
  }

  /// What a guest's shell reads from its disk: the text, with empty lines behind it that make its last sector whole.
  convenience init(script: String) throws {
    try self.init(text: script + String(repeating: "\n", count: 512 - script.utf8.count % 512))
  }

  /// Writes a byte at the disk's start.
  func change() throws {
    // SAFETY: the path and the byte hold for the calls.
    let file = unsafe open(path, O_WRONLY | O_CLOEXEC)
    defer { close(file) }
    guard unsafe write(file, [1 as UInt8], 1) == 1 else { throw Failure(what: "no change: errno \(errno)") }
  }

  /// Removes the image, and leaves what stands beside it.
  func remove() {
    // SAFETY: the path holds for the call.
    _ = unsafe unlink(path)
  }

  /// In bytes; nil where there is no such file.
  func size(of suffix: String = "") -> Int? {
    var status = stat()
    // SAFETY: the path and the structure hold for the call.
    return unsafe stat(path + suffix, &status) == 0 ? Int(status.st_size) : nil
  }
}
