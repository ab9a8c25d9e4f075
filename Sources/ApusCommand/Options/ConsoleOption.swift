import Apus

/// A console as people choose it: the device that carries it and where it leads.
///
/// `stdio`, `file=PATH`, `pty`, `pty=LINK` or `none` for the serial port, and the same behind `virtio,` for a virtio
/// console; `virtio` alone leads to the standard streams. Settings of the device stand between:
/// `virtio,window=NAME,pty`.
struct ConsoleChoice: WrittenValue {
  /// Where it leads.
  var destination: Configuration.Console
  /// Whether a virtio console carries it.
  var isVirtio: Bool
  /// The DMA window of that device, where it is not the default one.
  var window: String?

  /// - Returns: nil where the text is of another form.
  init?(_ text: String) {
    var rest = text[...]
    isVirtio = rest == "virtio" || rest.hasPrefix("virtio,")
    if isVirtio {
      rest = rest.dropFirst("virtio,".count)
      if rest.hasPrefix("window=") {
        let name = rest.dropFirst("window=".count).prefix { $0 != "," }
        guard !name.isEmpty else { return nil }
        window = String(name)
        rest = rest.dropFirst("window=".count + name.count + 1)
      }
      if rest.isEmpty {
        // A comma with nothing behind it is a mistake.
        guard text.last != "," else { return nil }
        rest = "stdio"
      }
    }
    guard let destination = Configuration.Console(String(rest)) else { return nil }
    self.destination = destination
  }

  var description: String {
    let settings = (isVirtio ? ["virtio"] : []) + (window.map { ["window=\($0)"] } ?? [])
    return (settings + ["\(destination)"]).joined(separator: ",")
  }

  static var form: String {
    "give stdio, file=PATH, pty, pty=LINK or none, or virtio, or virtio and one of these with a comma between"
  }
}

extension Configuration.Console: WrittenValue {
  /// Reads `stdio`, `none`, `pty`, `pty=LINK` or `file=PATH`. A program's ``stream`` is no choice on a command line.
  init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    switch (parts[0], parts.count == 2 ? parts[1] : nil) {
    case ("stdio", nil): self = .standardStreams
    case ("none", nil): self = .none
    case ("pty", nil): self = .pseudoTerminal()
    case ("pty", let link?) where !link.isEmpty: self = .pseudoTerminal(link: link)
    case ("file", let path?) where !path.isEmpty: self = .file(path: path)
    default: return nil
    }
  }

  static var form: String { "give stdio, file=PATH, pty, pty=LINK or none" }
}
