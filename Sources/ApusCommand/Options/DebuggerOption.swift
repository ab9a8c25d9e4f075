import Apus
import Host

extension Configuration.Debugger: WrittenValue {
  /// Reads `unix=PATH` or `tcp=PORT`, and `,wait` behind it.
  init?(_ text: String) {
    let waiting = ",wait"
    let waits = text.hasSuffix(waiting)
    let parts = (waits ? text.dropLast(waiting.utf8.count) : text[...])
      .split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !parts[1].isEmpty else { return nil }
    switch parts[0] {
    case "unix":
      // It would be another word behind the path, or a misspelt one.
      guard !parts[1].utf8.contains(UInt8(ascii: ",")) else { return nil }
      self.init(.socket(path: parts[1]))
    case "tcp":
      guard let number = UInt16(plain: parts[1]) else { return nil }
      self.init(.port(number))
    default: return nil
    }
    self.waits = waits
  }

  static var form: String {
    """
    give unix=PATH for a socket, whose path has no comma, or tcp=PORT with a number up to 65535; only ',wait' may follow, \
    for the guest to wait
    """
  }
}
