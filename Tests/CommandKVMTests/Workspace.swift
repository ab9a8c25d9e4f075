import Glibc

/// A folder for one test, gone when the test is over.
final class Workspace {
  let path: String

  init() {
    var template = Array("/tmp/apus-command-XXXXXX".utf8CString)
    // SAFETY: the template is ended with a zero.
    path = unsafe mkdtemp(&template).map { unsafe String(cString: $0) } ?? "/tmp"
  }

  deinit {
    // SAFETY: the texts hold for the calls.
    for name in files { _ = unsafe unlink("\(path)/\(name)") }
    _ = unsafe rmdir(path)
  }

  /// The names of all that is in it.
  var files: [String] {
    // SAFETY: the folder is open for the loop, and each entry is copied before the next call.
    guard let stream = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// A path in it.
  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// What a file in it holds; empty where there is none.
  func contents(_ name: String) -> [UInt8] {
    // SAFETY: the texts and the buffer hold for the calls, and the buffer's size goes along.
    guard let file = unsafe fopen(file(name), "r") else { return [] }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<count])
  }

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
