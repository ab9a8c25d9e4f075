internal import CCommandLine
internal import Glibc
import Host

/// The words of the command line.
enum ArgumentWords {
  /// Without the program's name, each as a text that stands for its bytes.
  static var all: [String] { (1..<max(1, command_line_count())).compactMap(word) }

  /// The name that the program was started by; empty where there is none.
  static var program: String { word(0) ?? "" }

  private static func word(_ index: Int32) -> String? {
    // SAFETY: the words last as long as the process and end with a zero.
    guard index < command_line_count(), let word = unsafe command_line_word(index) else { return nil }
    return unsafe HostPath.text(UnsafeRawBufferPointer(start: word, count: strlen(word)))
  }

  /// Options without a value, which the argument parser itself looks after.
  ///
  /// Arrays: the first set of a program costs more than looking through these for each word of a command line.
  private static let flags =
    [
      "--raw", "--dry-run", "--detach", "--reboot", "--no-reboot", "--json", "--picture", "--hex", "--reply", "--help",
      "--follow", "--version", "--names", "--replay", "--no-replay", "--fresh", "--verbose", "--list", "--clone",
      "--verify",
    ] + DeviceOptions.flags
  /// Options of which each adds to those before it.
  private static let adding =
    [
      "--append", "--cmdline", "--dtb-overlay", "--socket", "--agent", "--run", "--module", "--only", "--machine",
      "--writable", "--env",
    ] + DeviceOptions.adding

  /// An option that is there twice though it has one value: the argument parser would take the last one in silence.
  static func repeatedOption(_ words: some Sequence<String>) -> String? {
    var seen: [String] = []
    var isValue = false
    for word in words {
      if isValue {
        isValue = false
        continue
      }
      guard word.utf8.starts(with: "--".utf8) else { continue }
      if word == "--" { return nil }
      let end = word.utf8.firstIndex(of: UInt8(ascii: "="))
      let name = end.map { String(word[..<$0]) } ?? word
      if flags.contains(name) { continue }
      isValue = end == nil
      if adding.contains(name) { continue }
      if seen.contains(name) { return name }
      seen.append(name)
    }
    return nil
  }
}
