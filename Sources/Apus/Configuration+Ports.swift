import HostBackends

// What a machine's console device has: the console itself and named ports.

extension Configuration {
  /// A channel between a program in the guest, which opens `/dev/virtio-ports/NAME`, and the host.
  public struct Port: Equatable, Sendable {
    /// 1 to 64 letters, digits, dots, hyphens and underscores, not `virtme.ret`, which is Apus's own.
    public var name: String
    /// Where it leads.
    public var destination: Destination

    /// A port of that name.
    public init(_ name: String, _ destination: Destination) {
      self.name = name
      self.destination = destination
    }

    /// Where a port leads.
    public enum Destination: Equatable, Sendable {
      /// To a file that is truncated; the guest only writes.
      case file(path: String)
      /// To a UNIX stream socket on which Apus listens: one peer at a time, at most 107 bytes of path.
      case socket(path: String)
      /// To a descriptor that is open already, which is read and written as far as it can be: 3 or more.
      case descriptor(Int32)
    }
  }
}

extension Configuration.Device {
  /// A console device with several ports. It always has one called `virtme.ret`, through which the guest says its exit
  /// status: ``Outcome/guestStatus``.
  public struct Console: Equatable, Sendable {
    /// Whether the machine's console is the device's first port, hvc0, instead of the serial port. What leaves the
    /// serial port, which stays for what is said early, then goes where the console leads, and input goes to hvc0 only.
    public var carriesConsole: Bool
    /// The channels, at most 29.
    public var ports: [Configuration.Port]

    /// A device that carries the console, or only ports.
    public init(carriesConsole: Bool = true, ports: [Configuration.Port] = []) {
      self.carriesConsole = carriesConsole
      self.ports = ports
    }

    /// A device has 31 ports; two of them are the console and the exit status.
    static let portLimit = 29
    /// The bytes of sun_path without the zero at its end.
    static let socketPathLimit = 107

    /// The mistakes in the plain values.
    func problems(ofDevice index: Int) -> [ConfigurationError.Problem] {
      var problems: [ConfigurationError.Problem] = []
      func add(_ property: Property, _ reason: ConfigurationError.Reason) {
        problems.append(.init(.usage, .device(index, .console(property)), reason))
      }
      if ports.count > Self.portLimit {
        add(.ports, "\(ports.count) ports are too many: there are at most \(Self.portLimit)")
      }
      for (number, port) in ports.enumerated() {
        if !port.hasPlainName {
          add(.port(number, .name), "a port's name has 1 to 64 letters, digits, dots, hyphens and underscores")
        } else if port.name == ExitStatusPort.portName {
          add(.port(number, .name), "Apus itself reads the guest's exit status there; use another name")
        } else if ports[..<number].contains(where: { $0.name == port.name }) {
          add(.port(number, .name), "there is another port of that name")
        }
        switch port.destination {
        case .socket(let path) where path.utf8.count > Self.socketPathLimit:
          add(.port(number, .destination), "a socket's path has at most \(Self.socketPathLimit) bytes")
        case .descriptor(let descriptor) where descriptor < 3:
          add(.port(number, .destination), "give a descriptor from 3, which is none of the standard streams")
        default: break
        }
      }
      return problems
    }
  }
}

extension Configuration.Port {
  fileprivate var hasPlainName: Bool {
    let isPlain = name.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
      default: false
      }
    }
    return isPlain && 1...64 ~= name.utf8.count && name != "." && name != ".."
  }
}

extension Configuration {
  /// The console device, where there is one.
  var consoleDevice: Device.Console? {
    for device in devices {
      if case .console(let console) = device.kind { return console }
    }
    return nil
  }

  /// The console device's ports with their places, in their order.
  var ports: [(place: Path, port: Port)] {
    for (index, device) in devices.enumerated() {
      guard case .console(let console) = device.kind else { continue }
      return console.ports.enumerated().map { (.device(index, .console(.port($0, .destination))), $1) }
    }
    return []
  }

  /// The command line that the kernel gets: where hvc0 is the console and nobody says which is, it says so.
  ///
  /// In front: what stands behind a word `--` is not the kernel's.
  var kernelCommandLine: String {
    guard consoleDevice?.carriesConsole == true, !Self.namesConsole(commandLine) else { return commandLine }
    return commandLine.isEmpty ? "console=hvc0" : "console=hvc0 " + commandLine
  }

  /// Whether a kernel would find a console in its command line. Spaces between quotation marks part no words.
  private static func namesConsole(_ commandLine: String) -> Bool {
    var isQuoted = false
    let words = commandLine.utf8.split { byte in
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      return !isQuoted && (byte == 0x20 || 0x09...0x0D ~= byte)
    }
    for word in words {
      if word.elementsEqual("--".utf8) { return false }
      if word.starts(with: "console=".utf8) { return true }
    }
    return false
  }
}

extension Configuration.Port: CustomStringConvertible {
  /// Its name, and behind an equals sign where it leads: `file=`, `unix=` or `fd=`.
  public var description: String {
    switch destination {
    case .file(let path): "\(name)=file=\(path)"
    case .socket(let path): "\(name)=unix=\(path)"
    case .descriptor(let number): "\(name)=fd=\(number)"
    }
  }
}

extension Configuration.Device.Console {
  /// The properties of a console device, those of its ports included.
  public enum Property: Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case carriesConsole
    /// All of them.
    case ports
    /// One of them, counted from 0, and what of it.
    case port(Int, Configuration.Port.Property)

    /// One of each, with 0 for each index.
    public static var allCases: [Property] {
      [.carriesConsole, .ports] + Configuration.Port.Property.allCases.map { .port(0, $0) }
    }

    public var description: String {
      switch self {
      case .carriesConsole: "carriesConsole"
      case .ports: "ports"
      case .port(let index, let property): "ports[\(index)].\(property.rawValue)"
      }
    }
  }
}

extension Configuration.Port {
  /// The properties, by their names.
  public enum Property: String, CaseIterable, Sendable {
    case name
    case destination
  }
}

extension Configuration.Device.Console: Codable {
  /// - Throws: `DecodingError` for an unknown key, and for a port that is none.
  public init(from decoder: any Decoder) throws {
    self.init()
    let object = try CodedObject(decoder, keys: ["carriesConsole", "ports"])
    try object.read("carriesConsole", into: &carriesConsole)
    try object.read("ports", into: &ports)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(carriesConsole, forKey: "carriesConsole")
    try container.encode(ports, forKey: "ports")
  }
}

extension Configuration.Port: Codable {
  /// - Throws: `DecodingError` where the name or the destination is missing, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(try object.value("name"), try object.value("destination"))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(name, forKey: "name")
    try container.encode(destination, forKey: "destination")
  }
}

extension Configuration.Port.Destination: Codable {
  /// - Throws: `DecodingError` for an unknown case, and where the path or the number is missing.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["file", "socket", "descriptor"])
    switch coded.name {
    case "descriptor": self = .descriptor(try coded.values(["number"]).value("number"))
    case "socket": self = .socket(path: try coded.values(["path"]).value("path"))
    default: self = .file(path: try coded.values(["path"]).value("path"))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .file(let path): try encoder.encode(case: "file") { try $0.encode(path, forKey: "path") }
    case .socket(let path): try encoder.encode(case: "socket") { try $0.encode(path, forKey: "path") }
    case .descriptor(let number): try encoder.encode(case: "descriptor") { try $0.encode(number, forKey: "number") }
    }
  }
}
