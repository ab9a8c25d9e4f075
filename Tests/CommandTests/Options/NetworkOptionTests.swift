import Apus
import Testing

@testable import ApusCommand

@Suite struct NetworkOptionTests {
  private typealias Network = Configuration.Device.Network

  @Test func passtWithEverythingIsReadWhole() throws {
    let device = try Configuration.Device.network(
      "passt,forward=2222:22,forward=0.0.0.0/5353:53/udp,mac=02:aa:bb:cc:dd:ee,mtu=9000,window=net"
    )

    var first = Network.Forward(hostPort: 2222, guestPort: 22)
    first.address = "127.0.0.1"
    var second = Network.Forward(hostPort: 5353, guestPort: 53)
    second.address = "0.0.0.0"
    second.transport = .udp
    var network = Network(.passt(forwards: [first, second]))
    network.mac = Configuration.Device.MACAddress("02:aa:bb:cc:dd:ee")
    network.mtu = 9000
    #expect(device.kind == .network(network))
    #expect(device.window == "net")
  }

  @Test func theHostsLoopbackIsReachedOnlyIfThatIsSaid() throws {
    let plain = try Configuration.Device.network("passt")
    let open = try Configuration.Device.network("passt,host-loopback")

    #expect(plain.kind == .network(Network(.passt(hostLoopback: false))))
    #expect(open.kind == .network(Network(.passt(hostLoopback: true))))
  }

  @Test(arguments: [
    ("", Configuration.Device.RemoteAccess.inPlace), (",direct", .direct), (",bounce", .bounced),
  ])
  func passtAsABackEndIsReadWithItsWayToPackets(text: String, access: Configuration.Device.RemoteAccess) throws {
    let device = try Configuration.Device.network("passt,vhost-user" + text)

    var network = Network(.passt())
    network.isVhostUser = true
    network.access = access
    #expect(device.kind == .network(network))
  }

  @Test func otherConnectionsAreRead() throws {
    let tap = try Configuration.Device.network("tap=tap0")
    let descriptor = try Configuration.Device.network("fd=7,mtu=1400")

    var network = Network(.descriptor(7))
    network.mtu = 1400
    #expect(tap.kind == .network(Network(.tap(name: "tap0"))))
    #expect(descriptor.kind == .network(network))
  }

  @Test(arguments: [
    "", "slirp", "tap", "tap=", "fd=", "fd=-1", "fd=x", "passt=1", "passt,forward=22", "passt,forward=a:b",
    "passt,forward=1:2:3", "passt,forward=70000:22", "passt,forward=1/2/3:4/udp", "passt,forward=22:22/sctp",
    "passt,mac=02:aa:bb:cc:dd", "passt,mac=01:aa:bb:cc:dd:ee", "passt,mac=+2:aa:bb:cc:dd:ee", "passt,mtu=65536",
    "passt,forward=+22:22", "passt,forward=22:+22", "passt,mtu=+1500", "fd=+7", "passt,host-loopback=yes",
    "passt,host-loopback,host-loopback", "fd=3,host-loopback", "passt,mtu=1400,mtu=1500", "passt,speed=1",
    "tap=tap0,forward=1:2", "fd=3,forward=1:2", "passt,direct", "passt,bounce", "passt,vhost-user,direct,bounce",
    "tap=tap0,direct",
  ])
  func whatSaysNothingIsRefused(text: String) {
    #expect(throws: DeviceTextError.self) { _ = try Configuration.Device.network(text) }
  }

  @Test func textsOfAnyKindAreReadOrRefused() {
    var generator = SystemRandomNumberGenerator()
    let pieces = ["passt", "tap=", "fd=", "forward=", "mac=", "mtu=", ":", "/", ",", ",,", "=", "1", "65536", "é"]
    var refused = 0

    for _ in 0..<2000 {
      let count = Int.random(in: 0...8, using: &generator)
      let text = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }
      if (try? Configuration.Device.network(text.joined())) == nil { refused += 1 }
    }

    #expect(refused > 0)
  }
}
