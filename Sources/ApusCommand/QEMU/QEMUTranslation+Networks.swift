import Apus
import Host
import QEMUSyntax

/// What a card may be connected to.
struct QEMUNetwork {
  var id: String
  var connection: Configuration.Device.Network.Connection
  /// Whether a card has it.
  var isUsed = false
}

/// `-netdev` and `-nic`: networks, and the cards of those that ask for one themselves.
extension QEMUTranslation {
  mutating func takeNetwork(_ value: String, of option: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: option, implied: "type")
    let connection = try connection(&fields, option)
    let id = try fields.need("id")
    try fields.finish(known: Self.knownFields(connection))
    if networks.contains(where: { $0.id == id }) { throw QEMUSyntaxError(option, "'id=\(id)' is there twice") }
    networks.append(QEMUNetwork(id: id, connection: connection))
  }

  private static func knownFields(_ connection: Configuration.Device.Network.Connection) -> String {
    if case .tap = connection { "id, ifname" } else { "id, hostfwd" }
  }

  private func connection(
    _ fields: inout QEMUFields,
    _ option: String
  ) throws(QEMUSyntaxError) -> Configuration.Device.Network.Connection {
    let type = try fields.need("type")
    switch type {
    case "user":
      // The numbers that both have: 10.0.2.15 is the guest, 10.0.2.2 the host, 10.0.2.3 the name server.
      try fields.takeOnly("net", ["10.0.2.0/24", "10.0.2.0"], otherwise: "the network is 10.0.2.0/24; give that")
      try fields.takeOnly("host", ["10.0.2.2"], otherwise: "give 10.0.2.2")
      try fields.takeOnly("dns", ["10.0.2.3"], otherwise: "give 10.0.2.3")
      try fields.takeOnly("dhcpstart", ["10.0.2.15"], otherwise: "give 10.0.2.15")
      try fields.takeOnly("restrict", ["off", "no", "n"], otherwise: "passt keeps no guest off the network; give off")
      try fields.takeOnly("ipv4", ["on"], otherwise: "give on")
      _ = try fields.takeSwitch("ipv6")
      var forwards: [Configuration.Device.Network.Forward] = []
      for text in fields.takeAll("hostfwd") { forwards.append(try Self.forward(text, of: option)) }
      return .passt(forwards: forwards, hostLoopback: true)
    case "tap":
      let name = try fields.need("ifname")
      for script in ["script", "downscript"] {
        try fields.takeOnly(script, ["no", ""], otherwise: "no scripts are run; set the device up before, and give no")
      }
      try fields.takeOnly("vhost", ["off"], otherwise: "give off")
      return .tap(name: name)
    default:
      throw QEMUSyntaxError("\(option) \(type)", "there are user (by passt), and tap with ifname=NAME,script=no")
    }
  }

  /// Reads `[tcp|udp]:[HOSTADDRESS]:HOSTPORT-[GUESTADDRESS]:GUESTPORT`.
  ///
  /// - Throws: ``QEMUSyntaxError`` for what is none.
  static func forward(
    _ text: String,
    of option: String
  ) throws(QEMUSyntaxError) -> Configuration.Device.Network.Forward {
    let mistake = QEMUSyntaxError(option, "'hostfwd=\(text)': give tcp:ADDRESS:PORT-:PORT or udp:ADDRESS:PORT-:PORT")
    guard let firstColon = text.firstIndex(of: ":"), let dash = text.lastIndex(of: "-"), firstColon < dash else {
      throw mistake
    }
    let host = text[text.index(after: firstColon)..<dash]
    let guest = text[text.index(after: dash)...]
    guard let hostColon = host.lastIndex(of: ":"), let guestColon = guest.lastIndex(of: ":"),
      let hostPort = UInt16(plain: host[host.index(after: hostColon)...]),
      let guestPort = UInt16(plain: guest[guest.index(after: guestColon)...])
    else { throw mistake }
    let guestAddress = guest[..<guestColon]
    guard guestAddress.isEmpty || guestAddress == "10.0.2.15" else {
      throw QEMUSyntaxError(option, "'hostfwd=\(text)': the guest is 10.0.2.15; leave its address out")
    }
    var forward = Configuration.Device.Network.Forward(hostPort: hostPort, guestPort: guestPort)
    switch text[..<firstColon] {
    case "", "tcp": break
    case "udp": forward.transport = .udp
    default: throw mistake
    }
    // As QEMU has it: without an address each of the host's.
    forward.address = host[..<hostColon].isEmpty ? "0.0.0.0" : String(host[..<hostColon])
    return forward
  }

  mutating func takeNIC(_ value: String) throws(QEMUSyntaxError) {
    let option = "-nic"
    var fields = try QEMUFields(value, of: option, implied: "type")
    if fields.fields == [.init(name: "type", value: "none")] { return }
    let model = try fields.take("model")
    if let model, model != "virtio-net-device", model != "virtio" {
      throw QEMUSyntaxError(option, "'model=\(model)': give virtio-net-device, or leave it out")
    }
    let mac = try fields.take("mac")
    _ = try fields.take("id")
    let connection = try connection(&fields, option)
    try fields.finish(known: "model, mac, " + Self.knownFields(connection))
    try addCard(connection, mac: mac, of: option)
  }

  /// `-device virtio-net-device`.
  mutating func takeCard(_ fields: inout QEMUFields, of option: String) throws(QEMUSyntaxError) {
    let id = try fields.need("netdev")
    guard let index = networks.firstIndex(where: { $0.id == id }) else {
      throw QEMUSyntaxError(option, "'netdev=\(id)': there is no such -netdev")
    }
    guard !networks[index].isUsed else { throw QEMUSyntaxError(option, "'netdev=\(id)': another card has it already") }
    networks[index].isUsed = true
    try fields.takeOnly("mq", ["off"], otherwise: "a card has one pair of queues; give off")
    try addCard(networks[index].connection, mac: try fields.take("mac"), of: option)
  }

  private mutating func addCard(
    _ connection: Configuration.Device.Network.Connection,
    mac text: String?,
    of option: String
  ) throws(QEMUSyntaxError) {
    var network = Configuration.Device.Network(connection)
    if let text {
      guard let mac = Configuration.Device.MACAddress(text) else {
        throw QEMUSyntaxError(option, "'mac=\(text)' is no address; give one such as 52:54:00:12:34:56")
      }
      network.mac = mac
    }
    configuration.devices.append(Configuration.Device(.network(network)))
  }
}
