import Glibc

/// Files that tests read and make.
enum TestFile {
  /// A whole file.
  static func contents(of path: String) throws -> [UInt8] {
    // SAFETY: the texts and the buffer hold for the calls, and the buffer's size goes along.
    guard let file = unsafe fopen(path, "r") else { throw Unreadable(path: path, errno: errno) }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = unsafe fread(&chunk, 1, chunk.count, file)
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  struct Unreadable: Error {
    let path: String
    let errno: Int32
  }

  /// Makes a file of these bytes for `body` and removes it again.
  static func with<Result>(_ bytes: [UInt8], _ body: (String) async throws -> Result) async throws -> Result {
    var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
    // SAFETY: the template is ended with a zero, and the bytes' size goes along.
    let descriptor = unsafe mkstemp(&template)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard descriptor >= 0, unsafe write(descriptor, bytes, bytes.count) == bytes.count else {
      throw Unreadable(path: path, errno: errno)
    }
    close(descriptor)
    defer { _ = unsafe unlink(path) }
    return try await body(path)
  }
}
