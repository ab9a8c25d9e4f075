import Glibc
import GuestSupport

/// An initramfs with a large file `padding` behind the project's own archive: the kernel unpacks both.
enum PaddedInitramfs {
  struct Failure: Error {
    let attempt: String
    let errno: Int32
  }

  /// Makes the file for `body` and removes it again.
  static func with(megabytes: Int, _ body: (String) async throws -> Void) async throws {
    var template = Array("/tmp/apus-initramfs-XXXXXX".utf8CString)
    // SAFETY: the template is ended with a zero.
    let descriptor = unsafe mkstemp(&template)
    guard descriptor >= 0 else { throw Failure(attempt: "mkstemp", errno: errno) }
    // Programs that other tests start meanwhile are to have nothing of it.
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    let file = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      close(descriptor)
      _ = unsafe unlink(file)
    }
    let path = try GuestFile.initramfs()
    let original = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard original >= 0 else { throw Failure(attempt: path, errno: errno) }
    defer { close(original) }
    while sendfile(descriptor, original, nil, 1 << 30) > 0 {}
    let size = megabytes * 1_000_000
    try append(header("padding", mode: 0o100644, size: size), to: descriptor)
    var generator = SystemRandomNumberGenerator()
    let chunk = (0..<125_000).flatMap { _ in
      let word = generator.next()
      return (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
    }
    for _ in 0..<megabytes { try append(chunk, to: descriptor) }
    try append(header("TRAILER!!!", mode: 0, size: 0), to: descriptor)
    try await body(file)
  }

  /// A member of a cpio archive in the "newc" form, up to its content.
  private static func header(_ name: String, mode: Int, size: Int) -> [UInt8] {
    let fields = [0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.utf8.count + 1, 0]
    let text =
      "070701"
      + fields.map { field in
        let digits = String(field, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
      }.joined()
    let header = Array((text + name).utf8) + [0]
    return header + [UInt8](repeating: 0, count: (4 - header.count % 4) % 4)
  }

  private static func append(_ bytes: [UInt8], to descriptor: Int32) throws {
    // SAFETY: the buffer holds for the call and its size goes along.
    guard unsafe write(descriptor, bytes, bytes.count) == bytes.count else {
      throw Failure(attempt: "write", errno: errno)
    }
  }
}
