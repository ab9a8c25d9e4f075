import Host

extension Configuration.Port: WrittenValue {
  /// Reads `NAME=file=PATH`, `NAME=unix=PATH` or `NAME=fd=N`.
  public init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, !parts[0].isEmpty, !parts[2].isEmpty else { return nil }
    switch parts[1] {
    case "file": self.init(parts[0], .file(path: parts[2]))
    case "unix": self.init(parts[0], .socket(path: parts[2]))
    case "fd":
      guard let number = Int32(plain: parts[2]) else { return nil }
      self.init(parts[0], .descriptor(number))
    default: return nil
    }
  }

  public var description: String {
    switch destination {
    case .file(let path): "\(name)=file=\(path)"
    case .socket(let path): "\(name)=unix=\(path)"
    case .descriptor(let number): "\(name)=fd=\(number)"
    }
  }

  public static var form: String { "give NAME=file=PATH, NAME=unix=PATH or NAME=fd=N" }
}

/// A console as people choose it: the device that carries it and where it leads.
///
/// `stdio`, `file=PATH`, `pty`, `pty=LINK` or `none` for the serial port, and the same behind `virtio,` for a virtio
/// console; `virtio` alone leads to the standard streams. Settings of the device stand between:
/// `virtio,window=NAME,pty`.
public struct ConsoleChoice: WrittenValue {
  /// Where it leads.
  public var destination: Configuration.Console
  /// Whether a virtio console carries it.
  public var isVirtio: Bool
  /// The DMA window of that device, where it is not the default one.
  public var window: String?

  /// - Returns: nil where the text is of another form.
  public init?(_ text: String) {
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

  public var description: String {
    let settings = (isVirtio ? ["virtio"] : []) + (window.map { ["window=\($0)"] } ?? [])
    return (settings + ["\(destination)"]).joined(separator: ",")
  }

  public static var form: String {
    "give stdio, file=PATH, pty, pty=LINK or none, or virtio, or virtio and one of these with a comma between"
  }
}
