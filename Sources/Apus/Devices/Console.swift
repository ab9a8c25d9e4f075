internal import CHost
import GuestABI
import Host
import HostBackends
import Virtio
import VirtioDevices
import VirtioMMIO

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
  }
}

extension Configuration.Device.Console: DeviceKind {
  func problems(device index: Int) -> [ConfigurationError.Problem] {
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
      case .socket(let path) where path.utf8.count > HostPath.socketLimit:
        add(.port(number, .destination), "a socket's path has at most \(HostPath.socketLimit) bytes")
      case .descriptor(let descriptor) where descriptor < 3:
        add(.port(number, .destination), "give a descriptor from 3, which is none of the standard streams")
      default: break
      }
    }
    return problems
  }

  var countLimit: Int { 1 }

  func problem(ofSeveral count: Int) -> ConfigurationError.Reason? {
    "a machine has one console device, which has all ports"
  }

  mutating func changePaths(_ change: (String) -> String) {
    for index in ports.indices {
      switch ports[index].destination {
      case .file(let path): ports[index].destination = .file(path: change(path))
      case .socket(let path): ports[index].destination = .socket(path: change(path))
      case .descriptor: break
      }
    }
  }

  func files(device index: Int) -> [NamedFile] {
    var files: [NamedFile] = []
    for (number, port) in ports.enumerated() {
      let place = Configuration.Path.device(index, .console(.port(number, .destination)))
      switch port.destination {
      case .file(let path): files.append(NamedFile(.written, at: place, path))
      case .socket(let path): files.append(NamedFile(.made, at: place, path))
      case .descriptor: break
      }
    }
    return files
  }

  func claims(device index: Int) -> [DeviceClaim] {
    var claims: [DeviceClaim] = []
    for (number, port) in ports.enumerated() {
      guard case .descriptor(let descriptor) = port.destination else { continue }
      claims.append(.descriptor(descriptor, at: .device(index, .console(.port(number, .destination)))))
    }
    return claims
  }

  /// Each queue that receives is filled with pages; a queue that transmits has one write of 32 KiB at a time. There is
  /// one pair for the control messages, one for `virtme.ret` and one for each port.
  var windowNeed: UInt64 {
    let pairs = UInt64(ports.count) + (carriesConsole ? 3 : 2)
    return pairs * (2 * DriverMemory.page + UInt64(QueueSize.console) * DriverMemory.page + (32 << 10))
  }

  func open(
    device index: Int,
    of configuration: Configuration,
    platform: SCMIPlace?
  ) throws(ConfigurationError) -> DeviceResource? {
    var problems: [ConfigurationError.Problem] = []
    for (number, port) in ports.enumerated() {
      let place = Configuration.Path.device(index, .console(.port(number, .destination)))
      switch port.destination {
      case .file: break
      case .socket(let path):
        guard let problem = ListeningSocket.problem(path: path) else { continue }
        problems.append(.init(problem.kind, place, .init(problem)))
      case .descriptor(let descriptor):
        guard descriptor >= 3, !Self.isOpen(descriptor) else { continue }
        problems.append(.init(.usage, place, "descriptor \(descriptor) is not open; open it in the caller"))
      }
    }
    guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    return ConsoleResource(self)
  }

  private static func isOpen(_ descriptor: Int32) -> Bool {
    var (reads, writes) = (false, false)
    // SAFETY: the variables hold for the call.
    return unsafe chost_access_mode(descriptor, &reads, &writes) >= 0
  }

  func plan(_ place: Board.DevicePlace, _ checked: CheckedConfiguration) -> (any Encodable & Sendable)? {
    Plan.Device.Console(carriesConsole: carriesConsole, ports: ports.map { "\($0)" })
  }
}

extension Plan.Device {
  /// A console device's part.
  public var console: Console? { part as? Console }

  /// A console device.
  public struct Console: Sendable, Encodable {
    /// Whether the machine's console is its first port.
    public let carriesConsole: Bool
    /// The channels: ``Configuration/Port/description`` of each.
    public let ports: [String]
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

/// The console device's ports: the host's sides are open for the whole run, so that a peer outlives a reboot.
final class ConsoleResource: DeviceResource {
  private let wanted: Configuration.Device.Console
  private var endpoints: [PortEndpoint] = []
  /// The present boot's.
  private var ports: ConsolePorts?

  init(_ wanted: Configuration.Device.Console) {
    self.wanted = wanted
  }

  override func open(_ run: RunPlace) throws {
    for (index, port) in wanted.ports.enumerated() {
      do throws(PortEndpoint.OpenFailure) {
        endpoints.append(try PortEndpoint(name: port.name, .init(port.destination), files: run.files))
      } catch {
        let path = Configuration.Path.device(run.place.index, .console(.port(index, .destination)))
        throw ConfigurationError(error.kind, path, .init(error))
      }
    }
  }

  override func makeDevice(_ place: BootPlace) throws -> any VirtioDevice {
    let ports = try ConsolePorts(
      name: place.place.name,
      carriesConsole: wanted.carriesConsole,
      endpoints: endpoints,
      loop: place.loop,
      logger: place.logger
    )
    self.ports = ports
    return ports.device
  }

  override func plugged(into transport: MMIOTransport) {
    ports?.connect { [unowned transport] queue in transport.kickAgain(queue: queue) }
  }

  override var console: ConsolePorts? { ports }

  override func savedState(_ wishes: SnapshotWishes) -> (any VersionedState)? { ports?.savedState }

  override func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<ConsolePortsState>(from: decoder).state
  }

  override func restore(_ state: (any VersionedState)?) throws(DeviceStateError) {
    if let state { try ports?.restore(ConsolePortsState(kindOf: state)) }
  }

  override func restored() { ports?.restored() }

  override func release() {
    ports?.shutDown()
    ports = nil
  }

  override func close() { endpoints = [] }
}

extension PortEndpoint.Destination {
  fileprivate init(_ destination: Configuration.Port.Destination) {
    self =
      switch destination {
      case .file(let path): .file(path: path)
      case .socket(let path): .socket(path: path)
      case .descriptor(let number): .descriptor(number)
      }
  }
}
