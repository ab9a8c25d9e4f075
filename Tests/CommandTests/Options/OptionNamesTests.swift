import Apus
import Testing

@testable import ApusCommand

/// A machine with a device of each kind.
private var configuration: Configuration {
  var configuration = Configuration(kernel: "Image")
  var disk = Configuration.Device.Block(path: "disk.img")
  disk.serial = "S1"
  var forward = Configuration.Device.Network.Forward(hostPort: 53, guestPort: 5353)
  forward.transport = .udp
  var far = Configuration.Device.Network.Forward(hostPort: 1, guestPort: 2)
  far.address = "0.0.0.0"
  var card = Configuration.Device.Network(.passt(forwards: [forward, far]))
  card.mtu = 9000
  let ports = [Configuration.Port("log", .file(path: "a,b"))]
  configuration.devices = [
    .init(.block(disk)), .init(.network(card)), .init(.console(.init(ports: ports))),
    .init(.scmi(.init(path: "platform.json", agent: "guest"))), .init(.entropy), .init(.network(.init(.descriptor(7)))),
    .init(.memory(.init(size: 1 << 30))), .init(.share(.init(path: "folder", tag: "host"))),
    .init(.vhostUser(.init(.init("block") ?? .init(number: 2), socket: "disk.sock"))),
    .init(.messages(.init(.block, socket: "disk.sock"))),
  ]
  configuration.devices[0].window = "disks"
  configuration.gic = .v2
  return configuration
}

/// The device of the kind that a property belongs to.
private func device(with property: Configuration.Device.Property) -> Int {
  switch property {
  case .whole, .window, .block: 0
  case .network: 1
  case .console: 2
  case .scmi: 3
  case .memory: 6
  case .share: 7
  case .vhostUser: 8
  case .messages: 9
  }
}

@Suite struct OptionNamesTests {
  /// The switch is exhaustive; this shows that each case ends at an option.
  @Test func everyPlaceHasAnOptionWhetherOrNotThereIsSuchADevice() {
    let bare = Configuration(kernel: "Image")
    for path in Configuration.Path.allCases {
      var there = path
      if case .device(_, let property) = path { there = .device(device(with: property), property) }

      #expect(configuration.option(there).hasPrefix("--"), "\(there)")
      #expect(bare.option(path).hasPrefix("--"), "\(path)")
    }
    #expect(Configuration.Path.allCases.count == 67)
    #expect(Set(Configuration.Path.allCases).count == 67)
  }

  @Test(
    arguments: [
      (.property(.cpuCount), "--cpus"), (.property(.memorySize), "--memory"), (.property(.gic), "--gic 2"),
      (.property(.pages), "--memory …,hugepages"), (.property(.deviceTreeDump), "--dump-dtb"),
      (.deviceTreeOverlay(3), "--dtb-overlay"), (.device(0, .window), "--block window=disks"),
      (.device(0, .block(.queueCount)), "--block queues=1"), (.device(0, .block(.serial)), "--block serial=S1"),
      (.device(1, .network(.connection)), "--network passt"), (.device(1, .network(.mtu)), "--network mtu=9000"),
      (.device(1, .network(.forward(0, .hostPort))), "--network forward=53:5353/udp"),
      (.device(1, .network(.forward(1, .address))), "--network forward=0.0.0.0/1:2"),
      (.device(5, .network(.connection)), "--network fd=7"),
      (.device(2, .console(.port(0, .name))), "--port log=file=a,b"), (.device(2, .whole), "--console virtio"),
      (.device(3, .scmi(.agent)), "--scmi agent=guest"), (.device(4, .whole), "--entropy"),
      (.device(9, .scmi(.source)), "--scmi"), (.property(.memoryLimit), "--memory-limit"),
      (.device(6, .memory(.size)), "--hotplug-memory 1G"),
      (.device(6, .memory(.name)), "--hotplug-memory name=hotplug"),
      (.device(6, .memory(.blockSize)), "--hotplug-memory block=2M"),
      (.device(7, .share(.tag)), "--share tag=host"), (.device(7, .window), "--share window=default"),
      (.device(8, .vhostUser(.socket)), "--vhost-user socket=disk.sock"),
    ] as [(Configuration.Path, String)]
  )
  func aPlaceIsNamedAsItWasWritten(path: Configuration.Path, option: String) {
    #expect(configuration.option(path) == option)
  }

  @Test func aReasonNamesTheOptionsOfOtherPlaces() throws {
    var wrong = configuration
    wrong.cpuCount = 9
    wrong.devices.append(.init(.console(.init(carriesConsole: false, ports: [.init("x", .descriptor(7))]))))

    let error = #expect(throws: ConfigurationError.self) { _ = try wrong.deviceTree() }

    let messages = try #require(error).problems.map { wrong.message($0) }
    #expect(
      messages == [
        "--gic 2 serves at most 8 vCPUs, not 9; use --gic 3",
        "--port: a machine has one console device, which has all ports",
        "--port x=fd=7: the descriptor is that of --network fd=7, too; give each one of its own",
        "--scmi: 'platform.json' cannot be read: No such file or directory; check the path",
      ]
    )
  }
}
