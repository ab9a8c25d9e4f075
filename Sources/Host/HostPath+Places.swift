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
}
