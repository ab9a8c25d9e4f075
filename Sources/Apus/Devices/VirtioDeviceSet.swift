internal import CHost
import GuestMemory
import Host
import HostBackends
import KVM
internal import Logging
import Virtio
import VirtioDevices
import VirtioMMIO

/// All virtio devices of a machine with their windows and back-ends.
final class VirtioDeviceSet {
  private let opened: OpenedConfiguration
  private let windows: [WindowOwner]
  private let work: DeviceWork
  private(set) var devices: [VirtioMMIODevice] = []
  private var backends: [any DeviceBackend] = []
  private var cardCount = 0
  /// The ports of the console device, where there is one.
  private(set) var console: ConsolePorts?

  /// A window on the heap, so that there can be several.
  private final class WindowOwner {
    let window: DMAWindow

    init(_ window: consuming DMAWindow) {
      self.window = window
    }
  }

  /// The first memory slot behind RAM's.
  private static let firstMemorySlot: UInt32 = EarlyVectors.memorySlot + 1

  private var configuration: Configuration { opened.configuration }

  /// Makes the windows and shows them to KVM.
  init(
    _ opened: OpenedConfiguration,
    _ map: MemoryMap,
    ram: borrowing PrivateRAM,
    _ machine: borrowing VirtualMachine
  ) throws {
    self.opened = opened
    let configuration = opened.configuration
    work = try DeviceWork()
    guard case .confined = configuration.dma else {
      windows = [WindowOwner(DMAWindow(name: "open", opening: ram))]
      return
    }
    windows = try zip(configuration.windowNames, map.windows).map { name, range in
      WindowOwner(try DMAWindow(name: name, range: range))
    }
    for (index, owner) in windows.enumerated() {
      // SAFETY: the windows live as long as this object, which the run keeps until all vCPUs have ended.
      try unsafe machine.setUserMemoryRegion(
        slot: Self.firstMemorySlot + UInt32(index),
        guestAddress: owner.window.range.start.rawValue,
        size: owner.window.range.size,
        hostAddress: owner.window.hostAddress
      )
    }
  }

  /// Makes the devices and puts them on the bus and into the loop.
  ///
  /// - Parameter endpoints: of the console device's ports, in the configuration's order.
  func plugIn(
    _ bus: inout Bus,
    machine: SharedMachine,
    endpoints: [PortEndpoint],
    loop: EventLoop,
    verdict: Verdict,
    logger: Logger
  ) throws {
    let work = work
    _ = try loop.add(work.event.rawValue, EventLoop.readable, ClosureHandler { _ in work.doAll() })
    let log = FaultLog(logger)
    let names = configuration.windowNames
    if configuration.dma == .open, !configuration.devices.isEmpty {
      logger.notice("DMA is open: devices reach all of the guest's memory")
    }
    for (index, wanted) in configuration.devices.enumerated() {
      let window = windows[names.firstIndex(of: wanted.window) ?? 0]
      let name = "\(wanted.typeName)\(index)"
      let place = DevicePlace(name: name, loop: loop, verdict: verdict, logger: logger)
      let device: any VirtioDevice
      do {
        device = try makeDevice(wanted, place, endpoints, machine)
      } catch let error as DiskError {
        throw ConfigurationError(error.kind, .device(index, .block(.path)), .init(error))
      } catch let error as NetworkError {
        throw ConfigurationError(error.kind, .device(index, .network(.connection)), .init(error))
      } catch let error as SCMIConnection.AgentInUse {
        throw ConfigurationError(.hostFailure, .device(index, .scmi(.agent)), .init(error))
      }
      guard device.reach != .everything || window.window.extent == .open else {
        throw ConfigurationError(
          .hostFailure,
          .device(index, .whole),
          "\(name) reaches all memory, which this machine does not grant; use \(at: .property(.dma), "open")"
        )
      }
      let plugged = try VirtioMMIODevice(
        device,
        index: index,
        space: window.window.makeSpace(),
        machine: machine,
        work: work,
        loop: loop,
        observer: log
      )
      bus.attach(plugged, at: MemoryMap.virtioSlot(index))
      if case .console = wanted.kind {
        let transport = plugged.transport
        console?.connect { [unowned transport] queue in transport.kickAgain(queue: queue) }
      }
      devices.append(plugged)
    }
    if let empty = MemoryMap.emptyVirtioSlots(from: devices.count) { bus.attach(PlaceholderDevices(), at: empty) }
  }

  private func makeDevice(
    _ wanted: Configuration.Device,
    _ place: DevicePlace,
    _ endpoints: [PortEndpoint],
    _ machine: SharedMachine
  ) throws -> any VirtioDevice {
    switch wanted.kind {
    case .entropy:
      return makeEntropyDevice(name: place.name, source: HostEntropy())
    case .block(let block):
      let backend = try FileBlockBackend(
        path: block.path,
        isReadOnly: block.isReadOnly,
        name: place.name,
        logger: place.logger
      )
      let device = makeBlockDevice(
        name: place.name,
        backend: backend,
        serial: block.serial,
        queueCount: block.queueCount
      )
      try backend.connect(place.loop) { [unowned device] in device.backendReady() }
      backends.append(backend)
      return device
    case .network(let network):
      let mac = network.mac ?? Configuration.Device.MACAddress(machine: configuration.name, index: cardCount)
      cardCount += 1
      let verdict = place.verdict
      let card = try NetworkCard(
        NetworkCard.Connection(network.connection),
        mac: mac.bytes,
        mtu: network.mtu,
        .init(name: place.name, loop: place.loop, logger: place.logger) { reason in
          verdict.give(Outcome(.hostFailure, "\(reason); change what the network is connected to, or the host"))
        }
      )
      backends.append(card.backend)
      return card.device
    case .console(let wanted):
      let ports = try ConsolePorts(
        name: place.name,
        carriesConsole: wanted.carriesConsole,
        endpoints: endpoints,
        loop: place.loop,
        logger: place.logger
      )
      backends.append(ports)
      console = ports
      return ports.device
    case .scmi:
      guard let agent = opened.scmiPlace else { preconditionFailure("a machine's platform is open") }
      let connection = try SCMIConnection(
        agent,
        name: place.name,
        lines: PlatformDeviceLines(agent, machine),
        loop: place.loop,
        work: work,
        verdict: place.verdict,
        logger: place.logger
      )
      backends.append(connection)
      return connection.device
    }
  }

  /// Lets vCPUs go that wait for the device thread. Before they are waited for.
  func releaseVCPUs() {
    work.close()
  }

  /// Ends what works for the devices. After the vCPUs have ended.
  ///
  /// - Returns: the images of disks that did not answer for as long as `patience` lasted: their workers still run, and
  ///   may use the guest's memory.
  func shutDown(_ patience: Patience) -> [String] {
    let disks = backends.compactMap { $0 as? FileBlockBackend }
    for disk in disks { disk.stop() }
    while disks.contains(where: \.isWorking), !patience.isOver { chost_pause(1) }
    let stuck = disks.filter(\.isWorking)
    for disk in stuck { disk.abandonWorkers() }
    for backend in backends { backend.shutDown() }
    return stuck.map(\.path)
  }

  /// What each device did. On the device thread.
  var summaries: [Report.Device] {
    zip(configuration.devices, devices).map { wanted, plugged in
      let counters = plugged.transport.connection.counters
      return Report.Device(
        name: plugged.transport.device.name,
        type: wanted.typeName,
        window: plugged.transport.connection.space.extent == .open ? "open" : wanted.window,
        bytesRead: counters.memory.bytesRead,
        bytesWritten: counters.memory.bytesWritten,
        largestChain: counters.memory.largestChain,
        refusedAccesses: counters.memory.refusedAccesses,
        kicks: counters.kicks,
        interrupts: counters.interrupts,
        faults: counters.faults,
        scmi: backends.lazy.compactMap { $0 as? SCMIConnection }.first { $0.device === plugged.transport.device }?
          .summary
      )
    }
  }
}

/// Where a device and what stands behind it are made.
struct DevicePlace {
  let name: String
  let loop: EventLoop
  let verdict: Verdict
  let logger: Logger
}

extension NetworkCard.Connection {
  init(_ connection: Configuration.Device.Network.Connection) {
    switch connection {
    case .passt(let forwards, let hostLoopback):
      let forwards = forwards.map { PasstForward(isUDP: $0.transport == .udp, ports: $0.passtText) }
      self = .passt(forwards: forwards, hostLoopback: hostLoopback)
    case .tap(let name): self = .tap(name: name)
    case .descriptor(let number): self = .descriptor(number)
    }
  }
}
