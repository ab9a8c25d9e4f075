internal import Glibc

extension HostPath {
  /// A path from the root, without looking at what is there: a relative one is the process's working directory's.
  package static func absolute(_ path: String) -> String {
    guard path.utf8.first != 0x2F else { return path }
    // SAFETY: the text is the C library's, which is freed after it was copied.
    guard let working = unsafe getcwd(nil, 0) else { return path }
    defer { unsafe free(working) }
    return unsafe text(UnsafeRawBufferPointer(start: working, count: strlen(working))) + "/" + path
  }

  /// How a directory is found from another one, as long as both stay in the same folder: else by its path.
  ///
  /// - Parameters:
  ///   - path: absolute.
  ///   - directory: absolute.
  package static func relative(_ path: String, from directory: String) -> String {
    let (folder, name) = parts(path)
    return folder == parts(directory).folder ? "../" + name : path
  }

  private static func parts(_ path: String) -> (folder: Substring, name: Substring) {
    var plain = path[...]
    while plain.utf8.count > 1, plain.utf8.last == 0x2F { plain.removeLast() }
    guard let slash = plain.lastIndex(of: "/") else { return ("", plain) }
    return (plain[..<slash], plain[plain.index(after: slash)...])
  }
}
