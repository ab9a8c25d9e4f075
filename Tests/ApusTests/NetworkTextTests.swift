import Glibc
import Testing

@testable import Apus

@Suite struct NetworkTextTests {
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

  @Test func oneDescriptorForTwoCardsOrForACardAndAPortIsRefused() throws {
    var ends: [Int32] = [0, 0]
    // SAFETY: the array has room for two.
    try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let copy = dup(ends[0])
    defer { for number in ends + [copy] { close(number) } }
    func problems(_ first: Int32, _ second: Int32) -> [String] {
      var configuration = Configuration(kernel: "Image")
      configuration.devices = [
        .init(.network(.init(.descriptor(first)))),
        .init(.console(.init(carriesConsole: false, ports: [.init("p", .descriptor(second))]))),
      ]
      return configuration.deviceProblems()
    }

    #expect(problems(ends[0], ends[1]).isEmpty)
    for second in [ends[0], copy] {
      #expect(problems(ends[0], second).contains { $0.contains("is that of --network fd=\(ends[0]), too") })
    }
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
    "tap=tap0,forward=1:2", "fd=3,forward=1:2",
  ])
  func whatSaysNothingIsRefused(text: String) {
    #expect(throws: DeviceTextError.self) { _ = try Configuration.Device.network(text) }
  }

  @Test(arguments: [
    ("passt,mtu=67", "mtu=67"), ("passt,mtu=65535", "65520"), ("passt,forward=0:22", "ports are from 1"),
    ("passt,forward=localhost/1:22", "IPv4 or IPv6 address"), ("tap=a-name-that-is-too-long", "1 to 15"),
    ("tap=a/b", "1 to 15"), ("fd=0", "descriptor from 3"), ("fd=2", "descriptor from 3"),
  ])
  func valuesThatNoCardCanHaveAreProblems(text: String, problem: String) throws {
    var configuration = Configuration(kernel: "Image")
    configuration.devices = [try Configuration.Device.network(text)]

    #expect(configuration.deviceProblems().contains { $0.contains(problem) })
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

  @Test(arguments: ["00:00:00:00:00:00", "01:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "02:00:00:00:00", "02:0:0:0:0:1"])
  func anAddressThatNoCardCanHaveIsNone(text: String) {
    let address = Configuration.Device.MACAddress(text)

    #expect(address == nil)
  }

  @Test func addressesFollowFromTheMachinesNameAndTheCardsNumber() {
    let first = Configuration.Device.MACAddress(machine: "apus", index: 0)
    let again = Configuration.Device.MACAddress(machine: "apus", index: 0)
    let others = [
      Configuration.Device.MACAddress(machine: "apus", index: 1),
      Configuration.Device.MACAddress(machine: "swift", index: 0),
    ]

    #expect(first == again)
    #expect(!others.contains(first))
    #expect(first.bytes[0] == 0x02)
    #expect(Configuration.Device.MACAddress(first.description) == first)
  }
}
