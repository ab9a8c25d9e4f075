import Foundation
import Glibc
import Testing

@testable import Apus

@Suite struct NetworkConfigurationTests {
  private typealias Network = Configuration.Device.Network

  @Test func addressesThatAreWrittenDownStayUnderAnotherName() {
    var configuration = Configuration(kernel: "Image")
    configuration.name = "first"
    var own = Configuration.Device.Network(.passt(forwards: [], hostLoopback: false))
    own.mac = Configuration.Device.MACAddress("02:00:00:00:00:07")
    configuration.devices = [
      .init(.network(own)), .init(.entropy), .init(.network(.init(.passt(forwards: [], hostLoopback: false)))),
    ]

    var frozen = configuration.withCardAddresses
    frozen.name = "second"

    let expected = [own.mac, nil, Configuration.Device.MACAddress(machine: "first", index: 1)]
    for (device, address) in zip(frozen.devices, expected) {
      guard case .network(let network) = device.kind else { continue }
      #expect(network.mac == address)
    }
    #expect(frozen.devices.count == 3)
  }

  @Test func oneDescriptorForTwoCardsOrForACardAndAPortIsRefused() throws {
    var ends: [Int32] = [0, 0]
    // SAFETY: the array has room for two.
    try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let copy = dup(ends[0])
    defer { for number in ends + [copy] { close(number) } }
    func problems(_ first: Int32, _ second: Int32) -> [ConfigurationError.Problem] {
      var configuration = Configuration(kernel: "Image")
      configuration.devices = [
        .init(.network(.init(.descriptor(first)))),
        .init(.console(.init(carriesConsole: false, ports: [.init("p", .descriptor(second))]))),
      ]
      return configuration.deviceProblems()
    }

    #expect(problems(ends[0], ends[1]).isEmpty)
    for second in [ends[0], copy] {
      let found = problems(ends[0], second)
      #expect(found.map(\.path) == [.device(1, .console(.port(0, .destination)))])
      #expect(found.first?.reason.description.contains("is that of `devices[0].network.connection`, too") == true)
    }
  }

  @Test(
    arguments: [
      (.init(.passt(), mtu: 67), "mtu: give a number from 68"),
      (.init(.passt(), mtu: 65535), "mtu: passt has at most 65520"),
      (
        .init(.passt(forwards: [.init(hostPort: 0, guestPort: 22)])), "connection.passt.forwards[0].hostPort: ports are"
      ),
      (
        .init(.passt(forwards: [.init(hostPort: 1, guestPort: 0)])), "connection.passt.forwards[0].guestPort: ports are"
      ),
      (
        .init(.passt(forwards: [.init(hostPort: 9, guestPort: 1), .init("localhost", hostPort: 1, guestPort: 22)])),
        "connection.passt.forwards[1].address: give an IPv4 or IPv6 address"
      ),
      (
        .init(.passt(forwards: [.init(hostPort: 7, guestPort: 1), .init(hostPort: 7, guestPort: 2)])),
        "connection.passt.forwards[1].hostPort: the host's port leads to another one"
      ),
      (
        .init(.passt(forwards: (1...65).map { .init(hostPort: $0, guestPort: 1) })),
        "connection.passt.forwards: there are at most 64, not 65"
      ),
      (.init(.tap(name: "a-name-that-is-too-long")), "connection: the name of a network interface has 1 to 15"),
      (.init(.tap(name: "a/b")), "connection: the name of a network interface has 1 to 15"),
      (.init(.descriptor(0)), "connection: give a descriptor from 3"),
      (.init(.descriptor(2)), "connection: give a descriptor from 3"),
    ] as [(Configuration.Device.Network, String)]
  )
  func valuesThatNoCardCanHaveAreProblems(network: Configuration.Device.Network, problem: String) {
    var configuration = Configuration(kernel: "Image")
    configuration.devices = [.init(.network(network))]

    let problems = configuration.deviceProblems()
    #expect(problems.count == 1)
    #expect(problems.first?.description.hasPrefix("devices[0].network." + problem) == true, "\(problems)")
  }

  @Test func aWayToPacketsIsKeptAndNeedsAnotherProcess() throws {
    var network = Configuration.Device.Network(.passt())
    network.access = .direct
    let inThisProcess = network.problems(device: 0)
    network.isVhostUser = true

    let decoded = try JSONDecoder().decode(Configuration.Device.Network.self, from: JSONEncoder().encode(network))

    #expect(inThisProcess.count == 1)
    #expect(network.problems(device: 0).isEmpty)
    #expect(decoded == network)
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

extension Configuration.Device.Network {
  fileprivate init(_ connection: Connection, mtu: UInt16) {
    self.init(connection)
    self.mtu = mtu
  }
}

extension Configuration.Device.Network.Forward {
  fileprivate init(_ address: String, hostPort: UInt16, guestPort: UInt16) {
    self.init(hostPort: hostPort, guestPort: guestPort)
    self.address = address
  }
}
