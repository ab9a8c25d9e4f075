public import Apus
internal import Host
public import SCMI

// Guests as files, from which others go on: booted once, and restored as often as somebody wants one.
extension Guest {
  /// The name of the note with the agent's key.
  private static let keyNote = "org.apus.agent.key"

  /// Writes the guest into a directory, from which ``restore(_:platform:_:changing:)`` makes others. It goes on.
  ///
  /// Programs that run in it by its agent go on in the others, too, and nobody hears of them there: wait for their ends
  /// first.
  ///
  /// - Parameters:
  ///   - directory: is not to be there yet.
  ///   - options: what is to be different.
  /// - Throws: `SnapshotFailure`.
  @discardableResult
  public func snapshot(
    to directory: String,
    _ options: SnapshotOptions = SnapshotOptions()
  ) async throws(SnapshotFailure) -> SnapshotSummary {
    var options = options
    if let agent { options.notes[Self.keyNote] = agent.key.map(Self.digits).joined() }
    return try await machine.snapshot(to: directory, options)
  }

  /// Makes a machine that goes on from a snapshot, and starts it. With an agent where the guest has one.
  ///
  /// - Parameters:
  ///   - snapshot: what ``snapshot(to:_:)`` has written, or `apus control`.
  ///   - platform: the shared SCMI platform that the configuration's device is on, or nil. It is as it is, and not as
  ///     the guest has left the one that it was on.
  ///   - options: how; what goes into an initramfs does not matter.
  ///   - change: what is to be different from the snapshot's configuration: a port's file, say, or a transcript.
  /// - Throws: `ConfigurationError` for all that does not match at once, and `HostError`.
  public static func restore(
    _ snapshot: MachineSnapshot,
    platform: SharedPlatform? = nil,
    _ options: Options = Options(),
    changing change: (inout Configuration) -> Void = { _ in }
  ) throws -> Guest {
    var configuration = snapshot.configuration
    configuration.console = .stream
    change(&configuration)
    var way = MachineSnapshot.Options()
    way.isClone = true
    way.restoresPlatform = options.restoresPlatform
    guard let text = snapshot.notes[keyNote], let key = bytes(text) else {
      let machine = try Machine(restoring: snapshot, configuration, options: way, platform: platform)
      let guest = Guest(machine, platform, agent: nil, options)
      try machine.start()
      return guest
    }
    let ends = try Ends()
    configuration.setPort(Configuration.Port(AgentKey.portName, .descriptor(ends.guests)))
    let machine = try Machine(restoring: snapshot, configuration, options: way, platform: platform)
    let agent = try AgentConnection(ends.takeOurs(), key: key, goesOn: true)
    let guest = Guest(machine, platform, agent: agent, options)
    try machine.start()
    ends.closeGuests(after: machine)
    return guest
  }

  private static func digits(_ byte: UInt8) -> String {
    let text = String(byte, radix: 16)
    return byte < 16 ? "0" + text : text
  }

  private static func bytes(_ digits: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = digits[...]
    while !rest.isEmpty {
      guard let byte = UInt8(rest.prefix(2), radix: 16), rest.count >= 2 else { return nil }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    return bytes.isEmpty ? nil : bytes
  }
}

extension Configuration {
  /// Puts something else behind a channel that the console device has.
  fileprivate mutating func setPort(_ port: Port) {
    for (index, device) in devices.enumerated() {
      guard case .console(var console) = device.kind else { continue }
      for number in console.ports.indices where console.ports[number].name == port.name { console.ports[number] = port }
      devices[index].kind = .console(console)
    }
  }
}
