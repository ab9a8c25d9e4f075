extension Configuration.CPUFeatures: WrittenValue {
  /// Reads a list such as `sve=off,pmu=off`; the word `host` means all that the host has, and the last word wins.
  public init?(_ text: String) {
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      switch word {
      case "host": self = Self()
      case "sve=on": sve = true
      case "sve=off": sve = false
      case "pmu=on": pmu = true
      case "pmu=off": pmu = false
      case "pauth=on": pointerAuthentication = true
      case "pauth=off": pointerAuthentication = false
      default: return nil
      }
    }
  }

  public var description: String {
    let switches = [("sve", sve), ("pmu", pmu), ("pauth", pointerAuthentication)]
    let missing = switches.filter { !$0.1 }.map { "\($0.0)=off" }
    return missing.isEmpty ? "host" : missing.joined(separator: ",")
  }

  public static var form: String { "give host, or some of sve=off, pmu=off and pauth=off with commas between them" }
}

extension Configuration.Console: WrittenValue {
  /// Reads `stdio`, `none`, `pty`, `pty=LINK` or `file=PATH`. A program's ``stream`` is no choice on a command line.
  public init?(_ text: String) {
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

  public var description: String {
    switch self {
    case .stream: "stream"
    case .standardStreams: "stdio"
    case .file(let path): "file=\(path)"
    case .pseudoTerminal(let link): link.map { "pty=\($0)" } ?? "pty"
    case .none: "none"
    }
  }

  public static var form: String { "give stdio, file=PATH, pty, pty=LINK or none" }
}
