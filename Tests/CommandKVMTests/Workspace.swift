import Glibc
import TestSupport

/// A folder for one test, gone when the test is over.
final class Workspace {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  var path: String { folder.path }

  /// The names of all that is in it.
  var files: [String] { HostFiles.names(in: path) }

  /// A path in it.
  func file(_ name: String) -> String { folder.path(name) }

  /// What a file in it holds; empty where there is none.
  func contents(_ name: String) -> [UInt8] { HostFiles.bytes(file(name)) }

  /// The same as text, with carriage returns taken out.
  func text(_ name: String) -> String { String(decoding: contents(name).filter { $0 != 0x0D }, as: UTF8.self) }

  /// Makes a file.
  func write(_ text: String, to name: String) {
    let bytes = Array(text.utf8)
    // SAFETY: as for reading.
    guard let file = unsafe fopen(file(name), "w") else { return }
    unsafe fwrite(bytes, 1, bytes.count, file)
    unsafe fclose(file)
  }

  /// Makes a file longer, with zeroes, or shorter.
  func resize(_ name: String, to size: Int) {
    // SAFETY: the path holds for the call.
    _ = unsafe truncate(file(name), size)
  }

  /// Takes a file's name away.
  func remove(_ name: String) {
    // SAFETY: the path holds for the call.
    _ = unsafe unlink(file(name))
  }
}
