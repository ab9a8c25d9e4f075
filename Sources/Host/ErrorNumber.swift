internal import CHost
internal import Glibc

/// The C library's text for an error number.
package func errorText(_ number: Int32) -> String {
  // SAFETY: the buffer is this call's own and its size is passed along; the shim always ends the text with a zero.
  unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
    guard let base = buffer.baseAddress else { return "error \(number)" }
    unsafe chost_error_text(number, base, buffer.count)
    return unsafe String(cString: base)
  }
}

/// What an error number says about whose fault it is, and what is to be done: one table for all messages.
package enum ErrorNumber {
  /// Whether the host has too little of something or is broken: another path would not help.
  package static func isHostFailure(_ number: Int32) -> Bool {
    switch number {
    case EMFILE, ENFILE, ENOMEM, EIO, ENOSPC, EDQUOT, EFBIG, ENOBUFS, EAGAIN, EINTR, ESTALE, ETIMEDOUT, ENOSYS: true
    default: false
    }
  }

  /// What to do about a call that takes no file, where the reason alone tells; otherwise what the caller thinks of.
  package static func adviceForCall(_ number: Int32, otherwise: String) -> String {
    switch number {
    case EMFILE: "raise this process's limit of open files (ulimit -n)"
    case ENFILE: "the host has as many files open as it may: close some, or raise fs.file-max"
    default: otherwise
    }
  }

  /// The same for a file, which has reasons of its own.
  package static func advice(_ number: Int32, otherwise: String) -> String {
    switch number {
    case EFBIG: "raise the limit of a file's size (ulimit -f)"
    case EDQUOT: "this user's quota of the file system is used up: free some of it"
    case ENOSPC: "free some space on its file system"
    case EIO: "the device or file system behind it is broken; 'dmesg' may tell more"
    default: adviceForCall(number, otherwise: otherwise)
    }
  }

  /// The same for a file to read.
  package static func adviceForInput(_ number: Int32) -> String {
    switch number {
    case EACCES, EPERM: "make it readable for this user"
    case ENOENT, ENOTDIR, ENAMETOOLONG: "check the path"
    case ELOOP: "its symbolic links lead in a circle; name the file itself"
    case ENOMEM: "free some memory on the host"
    default: advice(number, otherwise: "name a file that exists and that you may read")
    }
  }
}
