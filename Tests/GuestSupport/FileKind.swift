internal import Glibc

/// What a path leads to, as far as tests care.
enum FileKind {
  case file
  case folder
  case missing

  init(path: String) {
    var status = stat()
    // SAFETY: path and structure hold for the call.
    guard unsafe stat(path, &status) == 0 else {
      self = .missing
      return
    }
    self = status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
  }
}
