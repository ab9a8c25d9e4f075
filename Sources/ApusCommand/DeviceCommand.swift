import Apus
import ArgumentParser
import DeviceMessages
import FoundationEssentials
import Host
import Logging
import Virtio

/// Devices in processes of their own.
struct DeviceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "device",
    abstract: "Serve a device to a machine in another process.",
    discussion: """
      Example:
        apus device serve --socket disk.sock block,disk.img
        apus run --kernel Image --message-device block,socket=disk.sock

      Documentation/DeviceMessages.md explains it.
      """,
    subcommands: [Serve.self]
  )
}

extension DeviceCommand {
  struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Serve a device by messages, to one machine after the other. Needs no KVM.",
      discussion: """
        Examples:
          apus device serve --socket random.sock entropy
          apus device serve --socket disk.sock block,disk.img,readonly
          apus device serve --socket scmi.sock scmi,platform.json,agent=guest
          apus run --kernel Image --message-device block,socket=disk.sock

        The process has the socket and what the device itself needs, and nothing of a guest's memory. It serves until \
        SIGINT, SIGTERM or SIGHUP. A socket that nobody listens on any more is replaced.

        Exit status: 0 at the end; 64 for a wrong word; 65 or 66 for a file that is wrong or cannot be read; 71 where \
        the host fails; 73 for a socket that cannot be made.
        """
    )

    @Option(help: ArgumentHelp("Where to listen: a UNIX socket, of this user alone.", valueName: "path"))
    var socket: String

    @Option(
      help: ArgumentHelp("What to tell: trace, debug, info, notice (the default), warning, error or critical."),
      transform: Setting.logLevel
    )
    var logLevel: Setting?

    @Argument(
      help: """
        entropy; block,PATH[,readonly][,serial=TEXT][,queues=N]; or scmi,PATH[,agent=NAME].
        """,
      transform: { text in
        do throws(DeviceTextError) {
          return try ServedDevice(text)
        } catch {
          throw ValidationError("\(error)")
        }
      }
    )
    var device: ServedDevice

    func run() throws {
      var settings = Settings(configuration: Configuration(kernel: ""))
      logLevel?.apply(to: &settings)
      let logger = Message.logger(settings.logLevel)
      let service: DeviceService
      do {
        service = try DeviceService(device.kind, socket: socket, coding: .json, logger: logger)
      } catch let error as ConfigurationError {
        for problem in error.problems { Message.say("error: \(device.name): \(problem.reason)") }
        throw ExitCode(error.exitStatus)
      } catch let error as ListeningError {
        Message.say("error: --socket: \(error)")
        throw ExitCode(error.kind.rawValue)
      } catch let error as HostError {
        Message.say("error: \(error)")
        throw ExitCode(FailureKind.hostFailure.rawValue)
      }
      logger.notice("\(device.name) is served on '\(socket)'")
      do {
        try service.run()
      } catch {
        Message.say("error: \(error)")
        throw ExitCode(FailureKind.hostFailure.rawValue)
      }
    }
  }
}

/// A device in the words of a command line.
struct ServedDevice: Sendable {
  /// Its type, in one word.
  let name: String
  let kind: Configuration.Device.Kind

  /// Reads a type and, behind a comma, what an option for such a device in a machine takes.
  ///
  /// - Throws: what is wrong with the text, and what would be right.
  init(_ text: String) throws(DeviceTextError) {
    let end = text.utf8.firstIndex(of: UInt8(ascii: ",")) ?? text.endIndex
    name = String(text[..<end])
    let rest = end == text.endIndex ? nil : String(text[text.utf8.index(after: end)...])
    let device = try Configuration.Device.served(name, rest)
    guard device.window == Configuration.Device.defaultWindow else {
      throw DeviceTextError("a device in another process has no window; say window=NAME to the machine")
    }
    kind = device.kind
  }
}

extension StateCoding {
  /// States as JSON.
  static let json = StateCoding { state in
    (try? JSONEncoder().encode(EncodedState(state: state))).map { Array($0) }
  } decode: { bytes, device in
    let decoder = JSONDecoder()
    guard let key = CodingUserInfoKey(rawValue: "device") else { return nil }
    decoder.userInfo[key] = device
    return try? decoder.decode(DecodedState.self, from: Data(bytes)).state
  }
}

private struct EncodedState: Encodable {
  let state: any VersionedState

  func encode(to encoder: any Encoder) throws { try state.encodeVersioned(to: encoder) }
}

private struct DecodedState: Decodable {
  let state: any VersionedState

  init(from decoder: any Decoder) throws {
    guard let key = CodingUserInfoKey(rawValue: "device"), let device = decoder.userInfo[key] as? any VirtioDevice
    else {
      preconditionFailure("a state is read for a device")
    }
    state = try device.decodeState(from: decoder)
  }
}
