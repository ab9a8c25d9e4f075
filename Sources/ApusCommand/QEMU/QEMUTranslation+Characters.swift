import Apus
import Host
import QEMUSyntax

/// A character device with the name that others use.
struct QEMUNamedCharacterDevice {
  var id: String
  var device: QEMUCharacterDevice
  /// Whether several may use it at a time.
  var isShared: Bool
  /// Who does.
  var users: [String] = []
}

/// What a serial port or a virtio console is to lead to.
struct QEMUSerial {
  enum Use {
    /// A character device of its own.
    case own(QEMUCharacterDevice)
    /// One that an option has named.
    case named(String)
  }

  var option: String
  var use: Use
  var isVirtio = false
}

/// `-chardev` and those that use such devices: `-serial`, `-monitor`, `-qmp`.
extension QEMUTranslation {
  mutating func takeCharacterDevice(_ value: String) throws(QEMUSyntaxError) {
    let option = "-chardev"
    var fields = try QEMUFields(value, of: option, implied: "backend")
    let backend = try fields.need("backend")
    let id = try fields.need("id")
    let isShared = try fields.takeSwitch("mux") ?? false
    let device: QEMUCharacterDevice
    var known = "backend, id, mux"
    switch backend {
    case "null": device = .none
    case "stdio":
      // A terminal is in raw mode: what would be a signal is the guest's.
      _ = try fields.takeSwitch("signal")
      device = .standardStreams
      known += ", signal"
    case "file":
      device = .file(path: try fields.need("path"))
      try fields.takeOnly("append", ["off"], otherwise: "a file is made anew; give off")
      known += ", path"
    case "pty":
      device = .pseudoTerminal(link: try fields.take("path"))
      known += ", path"
    case "socket":
      device = try socket(&fields, option)
      known += ", path, server, wait"
    default: throw QEMUSyntaxError("\(option) \(backend)", "there are null, stdio, file, pty, and socket with path=")
    }
    for name in ["logfile", "input-path"] where try fields.take(name) != nil {
      throw QEMUSyntaxError(option, "'\(name)' is not there; give a file of its own")
    }
    try fields.finish(known: known)
    if characterDevices.contains(where: { $0.id == id }) { throw QEMUSyntaxError(option, "'id=\(id)' is there twice") }
    characterDevices.append(QEMUNamedCharacterDevice(id: id, device: device, isShared: isShared))
  }

  private func socket(
    _ fields: inout QEMUFields,
    _ option: String
  ) throws(QEMUSyntaxError) -> QEMUCharacterDevice {
    guard let path = try fields.take("path"), !path.isEmpty else {
      throw QEMUSyntaxError(option, "sockets are UNIX sockets here; give path=PATH")
    }
    let isServer = try fields.takeSwitch("server") ?? false
    // The older form of `wait=off`.
    let hasNoWait = try fields.takeSwitch("nowait") ?? false
    let waits = try fields.takeSwitch("wait") ?? !hasNoWait
    try fields.takeOnly("reconnect", ["0"], otherwise: "who has gone does not come back; leave it out")
    try fields.takeOnly("reconnect-ms", ["0"], otherwise: "who has gone does not come back; leave it out")
    try fields.takeOnly("abstract", ["off"], otherwise: "sockets have names of files; give off")
    return isServer ? .server(path: path, waits: waits) : .client(path: path)
  }

  /// A character device in the short form: `stdio`, `file:PATH`, `unix:PATH,server=on`.
  func shortDevice(_ text: String, of option: String) throws(QEMUSyntaxError) -> QEMUCharacterDevice {
    let colon = text.firstIndex(of: ":")
    let rest = colon.map { String(text[text.index(after: $0)...]) } ?? ""
    switch colon.map({ String(text[..<$0]) }) ?? text {
    case "stdio" where rest.isEmpty: return .standardStreams
    case "null" where rest.isEmpty, "none" where rest.isEmpty: return .none
    case "pty" where rest.isEmpty: return .pseudoTerminal(link: nil)
    case "file" where !rest.isEmpty: return .file(path: rest)
    case "unix":
      var fields = try QEMUFields(rest, of: option, implied: "path")
      let device = try socket(&fields, option)
      try fields.finish(known: "path, server, wait")
      return device
    default:
      throw QEMUSyntaxError(
        "\(option) \(text)",
        "there are stdio, file:PATH, pty, unix:PATH, chardev:ID, null and none"
      )
    }
  }

  func serial(_ value: String) throws(QEMUSyntaxError) -> QEMUSerial {
    let (chardev, monitor) = ("chardev:", "mon:")
    if value.hasPrefix(chardev) {
      return QEMUSerial(option: "-serial", use: .named(String(value.dropFirst(chardev.count))))
    }
    // The monitor that would be beside it is behind keys that nobody has to press.
    let text = value.hasPrefix(monitor) ? String(value.dropFirst(monitor.count)) : value
    return QEMUSerial(option: "-serial", use: .own(try shortDevice(text, of: "-serial")))
  }

  mutating func takeMonitor(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-mon", implied: "chardev")
    let id = try fields.need("chardev")
    let mode = try fields.take("mode") ?? "readline"
    _ = try fields.takeSwitch("pretty")
    try fields.finish(known: "chardev, mode")
    if mode == "control" {
      monitors.append(("-mon", "control:\(id)"))
    } else {
      monitors.append(("-mon", "chardev:\(id)"))
    }
  }

  mutating func takeProtocol(_ value: String) throws(QEMUSyntaxError) {
    let chardev = "chardev:"
    guard !value.hasPrefix(chardev) else {
      monitors.append(("-qmp", "control:" + value.dropFirst(chardev.count)))
      return
    }
    try setProtocol(try shortDevice(value, of: "-qmp"), by: "-qmp")
  }

  private mutating func setProtocol(_ device: QEMUCharacterDevice, by option: String) throws(QEMUSyntaxError) {
    guard machine.protocolPlace == nil else {
      throw QEMUSyntaxError(option, "there is one QMP client; use 'apus control' beside it")
    }
    switch device {
    case .none: break
    case .standardStreams, .client, .server: machine.protocolPlace = device
    case .file, .pseudoTerminal: throw QEMUSyntaxError(option, "QMP is on stdio or on a socket; give unix:PATH")
    }
  }

  mutating func takeDebugger(_ value: String) throws(QEMUSyntaxError) {
    guard configuration.debugger == nil else { throw QEMUSyntaxError("-gdb", "there is one debugger; give it once") }
    if value == "none" { return }
    let parts = value.split(separator: ",", omittingEmptySubsequences: false)
    let place = parts[0].split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    let known = ["server=on", "server", "wait=off", "nowait", "nodelay=on", "nodelay"]
    let hasKnownSettings = parts.dropFirst().allSatisfy { known.contains(String($0)) }
    if place.count == 3, place[0] == "tcp", ["", "localhost", "127.0.0.1"].contains(place[1]), hasKnownSettings,
      let port = UInt16(plain: place[2])
    {
      configuration.debugger = .init(.port(port))
    } else if place.count == 2, place[0] == "unix", !place[1].isEmpty, hasKnownSettings {
      configuration.debugger = .init(.socket(path: place[1]))
    } else {
      throw QEMUSyntaxError(
        "-gdb \(value)",
        "give tcp::PORT, which is a port of 127.0.0.1, or unix:PATH,server=on,wait=off"
      )
    }
  }

  /// What stands behind a named character device, for somebody who uses it from now on.
  mutating func useCharacterDevice(
    _ id: String,
    by option: String,
    several: Bool
  ) throws(QEMUSyntaxError) -> QEMUCharacterDevice {
    guard let index = characterDevices.firstIndex(where: { $0.id == id }) else {
      throw QEMUSyntaxError(option, "there is no -chardev with id=\(id)")
    }
    if let user = characterDevices[index].users.first, !(several && characterDevices[index].isShared) {
      throw QEMUSyntaxError(option, "'\(id)' is used by \(user) already; give another -chardev")
    }
    characterDevices[index].users.append(option)
    return characterDevices[index].device
  }

  /// Finds out where the console leads, and who has the standard streams.
  mutating func finishCharacterDevices() throws(QEMUSyntaxError) {
    if !serials.contains(where: { !$0.isVirtio }), isWithoutScreen, hasDefaults {
      serials.append(QEMUSerial(option: "-nographic", use: .own(.standardStreams)))
    }
    var console: (option: String, device: QEMUCharacterDevice)?
    for serial in serials {
      let device: QEMUCharacterDevice
      switch serial.use {
      case .own(let own): device = own
      case .named(let id): device = try useCharacterDevice(id, by: serial.option, several: true)
      }
      guard device != .none else { continue }
      if let console, console.device != device {
        let advice = "the console leads to one place, and \(console.option) has another; give none to one of them"
        throw QEMUSyntaxError(serial.option, advice)
      }
      console = (serial.option, device)
    }
    machine.console = console?.device ?? .none
    try finishMonitors()
    var users = machine.ports.filter { $0.device == .standardStreams }.map(\.option)
    if machine.console == .standardStreams, let console { users.append(console.option) }
    if machine.protocolPlace == .standardStreams { users.append("-qmp") }
    if users.count > 1 {
      throw QEMUSyntaxError(users[1], "\(users[0]) has the standard streams already; give a file or a socket to one")
    }
    for device in characterDevices where device.users.isEmpty && device.device != .none {
      throw QEMUSyntaxError(
        "-chardev",
        "nobody uses '\(device.id)'; give -serial chardev:\(device.id), or leave it out"
      )
    }
  }

  private mutating func finishMonitors() throws(QEMUSyntaxError) {
    for (option, value) in monitors {
      let colon = value.firstIndex(of: ":") ?? value.endIndex
      let id = String(value[colon...].dropFirst())
      switch value[..<colon] {
      case "none", "null": break
      case "control": try setProtocol(try useCharacterDevice(id, by: option, several: false), by: option)
      case "chardev":
        // One that shares the console's streams is behind keys that nobody has to press.
        let isBeside = characterDevices.contains { $0.id == id && $0.isShared && !$0.users.isEmpty }
        guard isBeside else {
          throw QEMUSyntaxError(option, "there is no monitor for people; give -qmp, or use 'apus control'")
        }
      default: throw QEMUSyntaxError("\(option) \(value)", "there is no monitor for people; give none, or -qmp")
      }
    }
  }
}
