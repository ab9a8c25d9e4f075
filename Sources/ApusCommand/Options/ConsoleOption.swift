import Apus
import ArgumentParser
import Host

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

/// The two options that make the console device together.
enum ConsoleOption {
  static let help = ArgumentHelp(
    "Where the console leads: stdio (the default), file=PATH, pty, pty=LINK or none.",
    discussion: "virtio[,window=NAME][,WHERE] makes a virtio console (hvc0) of it.",
    valueName: "console"
  )
  static let read: Setting.Reader = Setting.value { (settings, choice: ConsoleChoice) in
    settings.configuration.console = choice.destination
    guard choice.isVirtio else { return }
    change(&settings) { device, console in
      console.carriesConsole = true
      if let window = choice.window { device.window = window }
    }
  }

  /// Of `--port`.
  static let portHelp = ArgumentHelp(
    """
    A channel to /dev/virtio-ports/NAME in the guest (udev's name; else /sys/class/virtio-ports/*/name). \
    May be given several times.
    """,
    discussion: "NAME=file=PATH (the guest writes), NAME=unix=PATH (Apus listens) or NAME=fd=N.",
    valueName: "port"
  )
  static let readPort: Setting.Reader = Setting.value { (settings, port: Configuration.Port) in
    change(&settings) { $1.ports.append(port) }
  }

  /// Changes the console device, which is made where there is none yet.
  private static func change(
    _ settings: inout Settings,
    _ change: (inout Configuration.Device, inout Configuration.Device.Console) -> Void
  ) {
    var devices = settings.configuration.devices
    var place = devices.count
    var console = Configuration.Device.Console(carriesConsole: false)
    for (index, device) in devices.enumerated() {
      if case .console(let there) = device.kind { (place, console) = (index, there) }
    }
    if place == devices.count { devices.append(Configuration.Device(.console(console))) }
    change(&devices[place], &console)
    devices[place].kind = .console(console)
    settings.configuration.devices = devices
  }

  /// The option that makes the device what it is.
  static func name(of console: Configuration.Device.Console) -> String {
    console.carriesConsole ? "--console virtio" : "--port"
  }

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
