internal import CLinux
internal import Glibc

/// The process's standard streams, for command lines over this library.
public enum StandardStreams {
  /// Makes sure that no other file gets the number of a standard stream that is closed. To be called first of all.
  ///
  /// Writing to a stream that was closed then fails, as it would have.
  public static func reserve() {
    clinux_standard_descriptors_reserve()
    // A reader that goes away is an error of the write, which is reported, and not the end of the process.
    _ = signal(SIGPIPE, SIG_IGN)
    // So is a file that may not grow (`ulimit -f`).
    _ = signal(SIGXFSZ, SIG_IGN)
  }

  /// Writes text to standard error, as far as that works: there is nobody to tell otherwise.
  public static func writeError(_ text: String) {
    try? write(Array(text.utf8), to: STDERR_FILENO, name: "standard error")
  }

  /// Writes bytes to standard output.
  public static func writeOutput(_ bytes: [UInt8]) throws(OutputFileError) {
    try write(bytes, to: STDOUT_FILENO, name: "standard output")
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32, name: String) throws(OutputFileError) {
    if let errno = writeAll(bytes, to: descriptor) { throw OutputFileError(stream: name, errno: errno) }
  }
}
