internal import Glibc

extension HostPath {
  /// The folder of a path, with a slash at its end; empty where the path names none.
  package static func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
  }

  /// A path that goes from a folder, as ``folder(of:)`` gives it, where it does not go from the root. `-` is no path.
  package static func joined(_ folder: String, _ path: String) -> String {
    path.isEmpty || path == "-" || path.utf8.first == 0x2F ? path : folder + path
  }

  /// A path from the root, without looking at what is there: a relative one is the process's working directory's.
  package static func absolute(_ path: String) -> String {
    guard path.utf8.first != 0x2F else { return path }
    // SAFETY: the text is the C library's, which is freed after it was copied.
    guard let working = unsafe getcwd(nil, 0) else { return path }
    defer { unsafe free(working) }
    return unsafe text(UnsafeRawBufferPointer(start: working, count: strlen(working))) + "/" + path
  }
}
