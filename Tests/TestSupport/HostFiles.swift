internal import Glibc

/// The host's files and folders, as tests look at them.
public enum HostFiles {
  /// A file's text; empty where there is none.
  public static func text(_ path: String) -> String { String(decoding: bytes(path), as: UTF8.self) }

  /// A file's bytes; none where there is no file.
  public static func bytes(_ path: String) -> [UInt8] {
    // SAFETY: the path holds for the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe read(file, &chunk, chunk.count)
      guard count > 0 else { return bytes }
      bytes += chunk[..<count]
    }
  }

  /// Makes a file of these bytes, or replaces what is in it.
  public static func write(_ bytes: [UInt8], to path: String) {
    // SAFETY: the path and the bytes hold for the calls, and the bytes' size goes along.
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    _ = unsafe Glibc.write(file, bytes, bytes.count)
  }

  /// The permissions of what has this very name; nil where nothing has.
  public static func mode(of path: String) -> UInt32? {
    var status = stat()
    // SAFETY: the path and the structure hold for the call.
    return unsafe lstat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
  }

  /// The names of all that is in a folder, in order; none where there is no folder.
  public static func names(in folder: String) -> [String] {
    // SAFETY: the folder is open for the loop, and each entry is copied before the next call.
    guard let stream = unsafe opendir(folder) else { return [] }
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
}
