import Apus
import ApusTesting
import SCMI
import SCMIFile
import Testing

/// Several guests on one platform, and every message from inside one.
@Suite("SCMI platforms that are shared", .requiresKVM, .ownThread)
struct SCMISharingTests {
  private static var definition: PlatformDefinition {
    PlatformDefinition { platform in
      platform.sensors = ["common", "probe"].map { name in
        SensorDefinition(name) { sensor in
          sensor.scale = -3
          sensor.binding = .constant([name == "probe" ? 77_000 : 11_000])
        }
      }
      platform.devices = [
        DeviceDefinition("common", [ResourceName(.sensor, "common")]),
        DeviceDefinition("probe", [ResourceName(.sensor, "probe")]),
      ]
      platform.agents = [
        AgentDefinition("first") { $0.devices = [("common", .full), ("probe", .full)] },
        AgentDefinition("second") { $0.devices = [("common", .full)] },
        AgentDefinition("owner") { $0.trusted = true },
      ]
    }
  }

  private static let labels = "cat /sys/class/hwmon/hwmon*/temp*_label"
  private static let probe = "dd bs=64 if=$(echo /sys/class/hwmon/hwmon*/temp2_input) 2>&1 | grep -v records"

  @Test("two guests see different resources, and the trusted agent moves one while both run")
  func twoGuests() async throws {
    let platform = try SharedPlatform(startingNow: Self.definition)

    let limit = Duration.seconds(300)
    let (one, two) = (
      try SCMIGuest.configuration(agent: "first"), try SCMIGuest.configuration(agent: "second")
    )

    let run = try await GuestRun.boot(one, platform: platform, limit: limit) { machine, console in
      let first = try await GuestShell(console)
      let other = try await GuestRun.boot(two, platform: platform, limit: limit, beside: true) { machine, console in
        let second = try await GuestShell(console)
        #expect(try await first.run(Self.labels) == ["common", "probe"])
        #expect(try await first.run(Self.probe) == ["77000"])
        #expect(try await second.run(Self.labels) == ["common"])

        #expect(setPermission(platform, agent: 1, allowed: false) == .success)
        #expect(setPermission(platform, agent: 2, allowed: true) == .success)

        let refused = try await first.run(Self.probe)
        #expect(refused.contains { $0.contains("Permission denied") }, "\(refused)")
        try await second.run("cd /sys/bus/scmi_protocol/drivers/scmi-hwmon; D=$(ls -d scmi_dev*)")
        try await second.run("E=../scmi-sensor-iiodev; [ ! -d $E/scmi_dev* ] || (cd $E; ls -d scmi_dev* >unbind)")
        try await second.run("echo $D >unbind; echo $D >bind; cd /")
        #expect(try await second.run(Self.labels) == ["common", "probe"])
        #expect(try await second.run(Self.probe) == ["77000"])
        machine.stop()
      }
      #expect(other.outcome.end == .stopped)
      #expect(try await first.run("cat /sys/class/hwmon/hwmon*/temp1_input") == ["11000"])
      machine.stop()
    }

    #expect(run.outcome.end == .stopped)
  }

  /// BASE_SET_DEVICE_PERMISSIONS for the device "probe", by the trusted agent.
  private func setPermission(_ platform: SharedPlatform, agent: UInt32, allowed: Bool) -> SCMIStatus {
    let request = SCMIMessage(
      header: MessageHeader(BaseProtocol.Message.setDevicePermissions),
      payload: [agent, 1, allowed ? 1 : 0]
    )
    var reply = SCMIMessage(header: request.header)
    let disposition = platform.handle(bytes: request.bytes.span, from: 2, ticket: 0, reply: &reply)
    return disposition == .reply ? reply.status : .genericError
  }

  @Test("an agent is one machine's at a time")
  func oneMachineEach() async throws {
    let platform = try SharedPlatform(startingNow: Self.definition)
    #expect(platform.attach(0, .init(wake: {})))

    let run = try await GuestRun.boot(try SCMIGuest.configuration(agent: "first"), platform: platform)

    #expect(run.outcome.end == .hostFailure)
    #expect(run.outcome.message.contains("another machine is the platform's agent first"))
  }

  private static func number(_ header: MessageHeader) -> String {
    hexadecimal([header.protocolIdentifier, header.message])
  }

  /// Protocol and number of each message that PROTOCOL_MESSAGE_ATTRIBUTES finds.
  private func found(_ platform: SharedPlatform) -> Set<String> {
    var found: Set<String> = []
    for identifier in ProtocolIdentifier.allCases {
      for message in UInt8.min...UInt8.max {
        let request = SCMIMessage(header: MessageHeader(identifier.rawValue, 2), payload: [UInt32(message)])
        var reply = SCMIMessage(header: request.header)
        _ = platform.handle(bytes: request.bytes.span, from: 0, ticket: 0, reply: &reply)
        if reply.status == .success { found.insert(hexadecimal([identifier.rawValue, message])) }
      }
    }
    return found
  }

  @Test("raw mode drives every message of every protocol, and reads what the platform said")
  func rawMode() async throws {
    var definition = SCMIGuest.definition
    definition.sensors[0].tripPoints = 1
    definition.devices = [DeviceDefinition("device", [ResourceName(.clock, "pll")])]
    definition.agents[0].trusted = true
    let platform = try SharedPlatform(startingNow: definition)
    let missing = found(platform).subtracting(RawMessages.all.map { Self.number($0.header) })
    #expect(missing.isEmpty, "\(missing)")
    let session = RecordedSession(platform)

    let run = try await GuestRun.boot(try SCMIGuest.configuration(), platform: platform, limit: .seconds(120)) {
      machine,
      console in
      let shell = try await GuestShell(console)
      let start = session.records.count
      var read: [String] = []
      let lines = RawMessages.all.map { message in
        let escaped = message.bytes.map { "\\x" + hexadecimal([$0]) }.joined()
        // A message is one write, and printf begins a new one behind each 0x0A.
        return "printf '\(escaped)' >/tmp/m; dd if=/tmp/m of=message bs=256 2>/dev/null; od -An -v -tx1 -w200 message"
      }
      try await shell.run("cd /sys/kernel/debug/scmi/0/raw")
      for first in stride(from: 0, to: lines.count, by: 8) {
        read += try await shell.run(lines[first..<min(first + 8, lines.count)].joined(separator: "; "))
      }
      machine.stop()
      let replies = session.messages(from: start).filter { $0.kind == .reply && $0.message.header.token >= 0x200 }
      let said = replies.map { hexadecimal($0.message.bytes) }
      let heard = read.map { $0.filter { $0 != " " } }
      #expect(heard == said)
      #expect(said.count == RawMessages.all.count)
      for reply in replies where reply.message.status != .success {
        Issue.record("\(MessageDecoder.text(reply.message, isRequest: false))")
      }
    }

    #expect(run.outcome.end == .stopped)
  }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
}

/// Every message of every protocol that the platform of ``SCMIGuest`` has, as it succeeds.
enum RawMessages {
  static let all: [SCMIMessage] = {
    var messages: [SCMIMessage] = []
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":")
      let identifier = UInt8(parts[0], radix: 16) ?? 0
      for message in parts[1].split(separator: ";") {
        let words = message.split(separator: " ").map { UInt32($0, radix: 16) ?? 0 }
        let token = 0x200 + UInt16(messages.count)
        let header = MessageHeader(identifier, UInt8(words[0]), token: token)
        messages.append(SCMIMessage(header: header, payload: Array(words.dropFirst())))
      }
    }
    return messages
  }()

  /// Protocol: message and payload words; ... All hexadecimal. BASE_RESET_AGENT_CONFIGURATION comes last, since votes
  /// and subscriptions go with it.
  private static let text = """
    10: 0; 1; 2 0; 10 20001; 3; 4; 5; 6 0; 7 1; 8 1; 9 1 0 1; a 1 0 14 1
    11: 0; 1; 2 0; 10 30001; 3 0; 4 0 0 0; 5 0; 6 0 1; 7 0 1; 8 0
    12: 0; 1; 2 0; 10 20001; 3 1 3; 4; 5 1
    13: 0; 1; 2 0; 10 40000; 3 0; 4 0 0; 5 0 5dc 1f4; 6 0; 7 0 3e8; 8 0; 9 0 1; a 0 1; c 0
    14: 0; 1; 2 0; 10 30000; 3 1; 4 1 0; 5 0 1 8000 0; 6 1; 7 1 1 0; 8 1; 9 1 1; a 1 1; b 1 0; c 1 0; d 1 2; e 1; f 1
    15: 0; 1; 2 0; 10 30001; 3 0; 4 0 1; 5 0 1 ea60 0; 6 0 0; 7 1 0; 8 1 0; 9 1; a 1 1; b 1 0; c 0; d 1 0
    16: 0; 1; 2 0; 10 30001; 3 1; 4 1 1 0; 5 1 1; 6 1
    17: 0; 1; 2 0; 10 20001; 3 0; 4 0 0; 5 0 7; 6 0; 7 0 0 c3500; 8 0; 9 0
    18: 0; 1; 2 0; 10 20000; 3 0; 4 0; 5 0 0 1e8480; 6 0; 7 0 0 7d0; 8 0; 9 0; a 0 1; b 0 1 1 a
    19: 0; 1; 2 0; 10 10000; 3 0 0; 4 0 1 0; 7 0 0; 6 0 0 0; 5 0 40000; 8 0 0; 9 0 0; a 1 0 1
    10: b 1 0
    """
}
