import Glibc
import Testing

@testable import Apus

@Suite struct NetworkConfigurationTests {
  private typealias Network = Configuration.Device.Network

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

  @Test(
    arguments: [
      (.init(.passt(), mtu: 67), "mtu=67"), (.init(.passt(), mtu: 65535), "65520"),
      (.init(.passt(forwards: [.init(hostPort: 0, guestPort: 22)])), "ports are from 1"),
      (.init(.passt(forwards: [.init("localhost", hostPort: 1, guestPort: 22)])), "IPv4 or IPv6 address"),
      (.init(.tap(name: "a-name-that-is-too-long")), "1 to 15"), (.init(.tap(name: "a/b")), "1 to 15"),
      (.init(.descriptor(0)), "descriptor from 3"), (.init(.descriptor(2)), "descriptor from 3"),
    ] as [(Configuration.Device.Network, String)]
  )
  func valuesThatNoCardCanHaveAreProblems(network: Configuration.Device.Network, problem: String) {
    var configuration = Configuration(kernel: "Image")
    configuration.devices = [.init(.network(network))]

    #expect(configuration.deviceProblems().contains { $0.contains(problem) })
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
