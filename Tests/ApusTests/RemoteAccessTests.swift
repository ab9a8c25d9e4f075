import GuestABI
import TestSupport
import Testing

@testable import Apus

/// How back-ends in other processes get at requests, as it is wanted and as it is told.
@Suite struct RemoteAccessTests {
  enum Kind: CaseIterable {
    case share, vhostUser, network

    func device(_ access: Configuration.Device.RemoteAccess) -> Configuration.Device {
      switch self {
      case .share:
        var share = Configuration.Device.Share(path: "/", tag: "a")
        share.access = access
        return .init(.share(share))
      case .vhostUser:
        var device = Configuration.Device.VhostUser(.init(number: 4), socket: "socket")
        device.access = access
        return .init(.vhostUser(device))
      case .network:
        var network = Configuration.Device.Network(.passt())
        network.isVhostUser = true
        network.access = access
        return .init(.network(network))
      }
    }
  }

  private func machine(
    _ devices: [Configuration.Device],
    dma: Configuration.DMA = .confined()
  ) -> Configuration {
    var configuration = Configuration(kernel: "Image")
    configuration.devices = devices
    configuration.dma = dma
    return configuration
  }

  @Test(arguments: Kind.allCases, [Configuration.DMA.shadow, .open])
  func directRingsAreRefusedWhereThereIsNoWindow(kind: Kind, dma: Configuration.DMA) {
    let problems = machine([kind.device(.direct)], dma: dma).deviceProblems()

    #expect(problems.map(\.kind) == [.usage])
    let text = problems.first.map { "\($0)" } ?? ""
    #expect(text.contains("with `dma` \(dma.name) there is none; leave 'direct' out, or that"))
  }

  @Test(arguments: Kind.allCases) func directRingsAreRefusedBehindAnIOMMU(kind: Kind) {
    let problems = machine([kind.device(.direct), .init(.iommu)]).deviceProblems()

    #expect(problems.map(\.kind) == [.usage])
    let text = problems.first.map { "\($0)" } ?? ""
    #expect(text.hasSuffix("leave 'direct' out, or `devices[1]`"), "\(text)")
  }

  @Test(arguments: Kind.allCases, [Configuration.Device.RemoteAccess.inPlace, .bounced])
  func otherWaysAreBouncedWhereThereIsNoWindow(kind: Kind, access: Configuration.Device.RemoteAccess) {
    for configuration in [
      machine([kind.device(access)], dma: .shadow), machine([kind.device(access)], dma: .open),
      machine([kind.device(access), .init(.iommu)]),
    ] {
      #expect(configuration.deviceProblems() == [])
      #expect(configuration.access(access) == .bounced)
      #expect(configuration.reachName(of: 0) == "shadow")
    }
  }

  @Test(arguments: Kind.allCases) func whatABackEndTouchesFollowsFromItsWay(kind: Kind) {
    #expect(machine([kind.device(.inPlace)]).reachName(of: 0) == "window")
    #expect(machine([kind.device(.direct)]).reachName(of: 0) == "window")
    #expect(machine([kind.device(.bounced)]).reachName(of: 0) == "shadow")
  }

  @Test func theDevicesOfThisProcessTouchCopiesWhereDMAIsShadowed() {
    let messages = Configuration.Device(.messages(.init(.entropy, socket: "socket")))

    #expect(machine([.init(.entropy), messages], dma: .shadow).reachName(of: 0) == "shadow")
    #expect(machine([.init(.entropy), messages], dma: .shadow).reachName(of: 1) == "messages")
    #expect(machine([.init(.entropy), .init(.iommu)], dma: .shadow).reachName(of: 0) == "window")
    #expect(machine([.init(.entropy)], dma: .open).reachName(of: 0) == "window")
  }

  @Test(arguments: [Configuration.DMA.shadow, .open])
  func thePlanOfADeviceWithCopiesHasNoWindow(dma: Configuration.DMA) throws {
    let folder = try TemporaryFolder()
    var configuration = machine([Kind.vhostUser.device(.inPlace), .init(.entropy)], dma: dma)
    configuration.payload = .raw(path: try folder.write("payload", [0, 0, 0, 0x14]))

    let plan = try configuration.check()

    #expect(plan.devices[0].vhostUser?.access == "bounced")
    #expect(plan.devices[0].reach == "shadow")
    #expect(plan.devices[0].window == nil)
    #expect(plan.devices[1].reach == (dma == .open ? "window" : "shadow"))
    #expect(plan.devices[1].window?.name == (dma == .open ? "open" : nil))
  }
}
