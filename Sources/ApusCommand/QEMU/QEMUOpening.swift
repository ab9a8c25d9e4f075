import Apus
internal import CHost
import Glibc
import Host
import QEMUSyntax

/// Opens what stands behind character devices, and puts it into the configuration.
struct QEMUOpening {
  private(set) var configuration: Configuration
  /// Where the guest's exit status is written at the end.
  private(set) var statusFile: String?

  /// How long somebody who listens has to take a connection, in milliseconds.
  private static let patience: Int32 = 10_000

  /// - Throws: ``QEMUSyntaxError`` for what cannot be opened.
  init(_ machine: QEMUMachine) throws(QEMUSyntaxError) {
    configuration = machine.configuration
    configuration.console = try Self.console(machine.console)
    guard machine.hasConsoleDevice || machine.carriesConsole else { return }
    var console = Configuration.Device.Console(carriesConsole: machine.carriesConsole)
    for port in machine.ports {
      if port.name == Self.statusPort {
        statusFile = try Self.statusFile(port)
      } else if let destination = try Self.destination(port) {
        console.ports.append(Configuration.Port(port.name, destination))
      }
    }
    configuration.devices.append(Configuration.Device(.console(console)))
  }

  /// Writes the status that the guest has said, where it has and somebody wants it.
  func writeStatus(_ status: Int32?) {
    guard let status, let statusFile else { return }
    do throws(OutputFileError) {
      let file = try OutputFile(path: statusFile)
      try file.write(Array("\(status)\n".utf8), within: .seconds(1))
    } catch {
      Message.say("-chardev file: \(error)")
    }
  }

  /// The port by which the guest says its exit status, which Apus reads itself.
  private static let statusPort = "virtme.ret"

  private static func statusFile(_ port: QEMUPort) throws(QEMUSyntaxError) -> String? {
    guard case .file(let path) = port.device else {
      if port.device == .none { return nil }
      throw QEMUSyntaxError(
        port.option,
        "'name=\(statusPort)' is the guest's exit status; give -chardev file,path=PATH"
      )
    }
    return path
  }

  private static func console(_ device: QEMUCharacterDevice) throws(QEMUSyntaxError) -> Configuration.Console {
    switch device {
    case .none: .none
    case .standardStreams: .standardStreams
    case .file(let path): .file(path: path)
    case .pseudoTerminal(let link): .pseudoTerminal(link: link)
    case .client(let path): .descriptor(try connect(path, "-serial"))
    case .server(let path, let waits):
      .descriptor(try accept(path, waits, "-serial", otherwise: "give wait=on, or a pty"))
    }
  }

  private static func destination(_ port: QEMUPort) throws(QEMUSyntaxError) -> Configuration.Port.Destination? {
    let option = "\(port.option),name=\(port.name)"
    switch port.device {
    case .none: return .file(path: "/dev/null")
    case .standardStreams: return .descriptor(try duplicate(STDIN_FILENO, option))
    case .file(let path):
      // A stream of this process, by the names that the host has for it: others may have it, too.
      if let number = standardStream(path) { return .descriptor(try duplicate(number, option)) }
      return .file(path: path)
    case .pseudoTerminal: throw QEMUSyntaxError(option, "a port leads to a file or a socket; give one of them")
    case .client(let path): return .descriptor(try connect(path, option))
    case .server(let path, waits: false): return .socket(path: path)
    case .server(let path, waits: true): return .descriptor(try accept(path, true, option, otherwise: ""))
    }
  }

  private static func standardStream(_ path: String) -> Int32? {
    switch path {
    case "/proc/self/fd/0", "/dev/fd/0", "/dev/stdin": STDIN_FILENO
    case "/proc/self/fd/1", "/dev/fd/1", "/dev/stdout": STDOUT_FILENO
    case "/proc/self/fd/2", "/dev/fd/2", "/dev/stderr": STDERR_FILENO
    default: nil
    }
  }

  private static func duplicate(_ number: Int32, _ option: String) throws(QEMUSyntaxError) -> Int32 {
    let copy = chost_duplicate(number)
    guard copy >= 0 else { throw QEMUSyntaxError(option, "standard stream \(number): \(errorText(-copy))") }
    return copy
  }

  /// Connects to somebody who listens. The descriptor lasts as long as the process.
  private static func connect(_ path: String, _ option: String) throws(QEMUSyntaxError) -> Int32 {
    // SAFETY: the path holds for the call.
    let number = unsafe path.withHostPath { unsafe chost_socket_connect($0, patience) }
    guard number >= 0 else {
      throw QEMUSyntaxError("\(option) path=\(path)", "\(errorText(-number)); somebody has to listen there")
    }
    return number
  }

  /// Listens, and waits for one peer.
  private static func accept(
    _ path: String,
    _ waits: Bool,
    _ option: String,
    otherwise advice: String
  ) throws(QEMUSyntaxError) -> Int32 {
    guard waits else { throw QEMUSyntaxError(option, "'wait=off': somebody has to be there from the start; \(advice)") }
    do throws(ListeningError) {
      let listener = try ListeningSocket(path: path, isPrivate: true)
      while true {
        _ = chost_wait(listener.rawValue, Int16(POLLIN), -1)
        let number = chost_socket_accept(listener.rawValue)
        if number >= 0 { return number }
      }
    } catch {
      throw QEMUSyntaxError("\(option) path=\(path)", "\(error)")
    }
  }
}
