import Apus
import ArgumentParser
import Host

extension Configuration.Device {
  /// Reads `passt|tap=NAME|fd=N[,host-loopback][,forward=[ADDRESS/]HOST:GUEST[/udp]]…[,mac=MAC][,mtu=N][,window=NAME]`.
  ///
  /// - Throws: what is wrong with the text, and what would be right.
  static func network(_ text: String) throws(DeviceTextError) -> Configuration.Device {
    var fields = DeviceFields(text)
    var network = Network(try connection(fields.value))
    if case .passt = network.connection {
      var forwards: [Network.Forward] = []
      while let forward = try fields.takeFirst("forward") {
        guard let read = Network.Forward(forward) else {
          throw DeviceTextError(
            "forward=\(forward): give [ADDRESS/]HOST:GUEST[/udp], such as 2222:22, with ports from 1 to 65535"
          )
        }
        forwards.append(read)
      }
      network.connection = .passt(forwards: forwards, hostLoopback: try fields.takeFlag("host-loopback"))
      network.isVhostUser = try fields.takeFlag("vhost-user")
      if network.isVhostUser { network.access = try fields.takeAccess() }
    }
    if let mac = try fields.take("mac") {
      guard let address = MACAddress(mac) else {
        throw DeviceTextError("mac=\(mac): give the address of one card, such as 02:12:34:56:78:9a")
      }
      network.mac = address
    }
    if let mtu = try fields.take("mtu") {
      guard let number = UInt16(plain: mtu) else { throw DeviceTextError("mtu=\(mtu): give a number from 68 to 65535") }
      network.mtu = number
    }
    var device = Configuration.Device(.network(network))
    let forwards =
      if case .passt = network.connection {
        "host-loopback, vhost-user[,direct|bounce], forward=HOST:GUEST[/udp], "
      } else { "" }
    let known = forwards + "mac=MAC, mtu=N, window=NAME"
    try fields.finish(&device, isElsewhere: network.isVhostUser, known: known)
    return device
  }

  private static func connection(_ text: String) throws(DeviceTextError) -> Network.Connection {
    if text == "passt" { return .passt() }
    let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    if halves.count == 2, halves[0] == "tap", !halves[1].isEmpty { return .tap(name: String(halves[1])) }
    if halves.count == 2, halves[0] == "fd", let number = Int32(plain: halves[1]), number >= 0 {
      return .descriptor(number)
    }
    throw DeviceTextError("what it is connected to comes first: passt, tap=NAME or fd=NUMBER")
  }
}

extension Configuration.Device.Network.Forward {
  /// Reads `[ADDRESS/]HOST:GUEST[/udp]`.
  init?(_ text: String) {
    var parts = text.split(separator: "/", omittingEmptySubsequences: false)[...]
    guard 1...3 ~= parts.count else { return nil }
    var transport = Transport.tcp
    if parts.count > 1, let last = parts.last.flatMap({ Transport(rawValue: String($0)) }) {
      transport = last
      parts.removeLast()
    }
    let ports = parts.removeLast().split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 1, ports.count == 2, let host = UInt16(plain: ports[0]),
      let guest = UInt16(plain: ports[1])
    else { return nil }
    self.init(hostPort: host, guestPort: guest)
    self.transport = transport
    if let address = parts.first { self.address = String(address) }
  }
}

enum NetworkOption {
  static let help = ArgumentHelp(
    "A network card: on passt (the host's network, without privileges), a tap device or an open descriptor.",
    discussion:
      "passt[,vhost-user[,direct|bounce]][,forward=[ADDRESS/]HOST:GUEST[/udp]]…|tap=NAME|fd=NUMBER"
      + "[,mac=MAC][,mtu=N][,window=NAME]",
    valueName: "network"
  )
  static let read: Setting.Reader = { try Setting.device($0, Configuration.Device.network) }

  /// The option, with the setting that is meant.
  static func name(_ property: Configuration.Device.Network.Property, of device: Configuration.Device?) -> String {
    guard case .network(let network)? = device?.kind else { return "--network" }
    switch property {
    case .connection:
      switch network.connection {
      case .passt: return "--network passt"
      case .tap(let name): return "--network tap=\(name)"
      case .descriptor(let number): return "--network fd=\(number)"
      }
    case .forwards: return "--network forward"
    case .forward(let index, .address), .forward(let index, .hostPort), .forward(let index, .guestPort),
      .forward(let index, .transport):
      guard case .passt(let forwards, _) = network.connection, forwards.indices.contains(index) else {
        return "--network forward"
      }
      return "--network forward=\(forwards[index].text)"
    case .mac: return network.mac.map { "--network mac=\($0)" } ?? "--network mac"
    case .mtu: return network.mtu.map { "--network mtu=\($0)" } ?? "--network mtu"
    }
  }
}

extension Configuration.Device.Network.Forward {
  /// `[ADDRESS/]HOST:GUEST[/udp]`, without what goes without saying.
  fileprivate var text: String {
    let standard = Self(hostPort: hostPort, guestPort: guestPort)
    let address = address == standard.address ? "" : "\(address)/"
    return "\(address)\(hostPort):\(guestPort)" + (transport == standard.transport ? "" : "/\(transport.rawValue)")
  }
}
