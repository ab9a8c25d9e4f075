import Apus
import Host

extension Configuration.Port: WrittenValue {
  /// Reads `NAME=file=PATH`, `NAME=unix=PATH` or `NAME=fd=N`.
  init?(_ text: String) {
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

  static var form: String { "give NAME=file=PATH, NAME=unix=PATH or NAME=fd=N" }
}

enum PortOption {
  /// The option, with the port that is meant.
  static func name(_ property: Configuration.Device.Console.Property, of device: Configuration.Device?) -> String {
    guard case .console(let console)? = device?.kind else { return "--port" }
    switch property {
    case .carriesConsole: return "--console virtio"
    case .ports: return "--port"
    case .port(let index, .name), .port(let index, .destination):
      return console.ports.indices.contains(index) ? "--port \(console.ports[index])" : "--port"
    }
  }
}
