import CHost
package import Host
package import Logging
package import Virtio
package import VirtioDevices

/// A machine's console device and what stands behind its ports: the console, the guest's exit status, the channels.
package final class ConsolePorts {
  /// The device itself.
  package let device: ConsoleDevice<HostPort>
  /// The machine's console, where the device carries it.
  package let console: VirtioConsolePort?
  /// What the guest says its exit status is.
  package let exitStatus = ExitStatusPort()
  private let channels: [ChannelPort]
  private let ports: [HostPort]
  private var restoredStatus: [UInt8] = []

  /// - Throws: where the loop takes no more.
  package init(
    name: String,
    carriesConsole: Bool,
    endpoints: [PortEndpoint],
    loop: EventLoop,
    logger: Logger
  ) throws(HostError) {
    console =
      carriesConsole
      ? VirtioConsolePort(timer: SharedTimer(try HostTimer()), room: SharedEventDescriptor(try EventDescriptor())) : nil
    var channels: [ChannelPort] = []
    for endpoint in endpoints { channels.append(try ChannelPort(endpoint, loop: loop, logger: logger)) }
    self.channels = channels
    var described: [(ConsolePortDescription, HostPort)] = []
    if let console { described.append((ConsolePortDescription(isConsole: true), console)) }
    described.append((ConsolePortDescription(name: ExitStatusPort.portName), exitStatus))
    for (endpoint, channel) in zip(endpoints, channels) {
      described.append((ConsolePortDescription(name: endpoint.name, isConnected: channel.isConnected), channel))
    }
    ports = described.map(\.1)
    device = makeConsoleDevice(name: name, ports: described)
  }

  /// Lets the ports call the device. Before the machine starts.
  ///
  /// - Parameter kickAgain: has a queue's kick come again on the device thread.
  package func connect(kickAgain: @escaping (_ queue: Int) -> Void) {
    let device = device
    for (number, port) in ports.enumerated() {
      let receive = ConsoleQueue.receive(number).index
      let transmit = ConsoleQueue.transmit(number).index
      port.becameReadable = { [unowned device] in
        if device.portReadable(number) { kickAgain(receive) }
      }
      port.becameWritable = { [unowned device] in
        if device.portWritable(number) { kickAgain(transmit) }
      }
      if let channel = port as? ChannelPort {
        channel.connectionChanged = { [unowned device] in device.portChanged(number, isConnected: $0) }
      }
    }
  }

  /// Tells the guest how large its console is, in characters.
  package func show(columns: UInt16, rows: UInt16) {
    if console != nil { device.resize(columns: columns, rows: rows) }
  }

  /// Moves what the guest has left in its rings, until `isOver` says otherwise. After the vCPUs have ended.
  ///
  /// A guest's write to a port is over when it is in the ring: it may power off before the device has looked. A ring
  /// may have gibibytes, of which no more is taken than a reset takes.
  package func drain(until isOver: () -> Bool) {
    var turns = ConsoleDevice<HostPort>.resetBytes / ConsoleDevice<HostPort>.turnBytes
    repeat {
      for channel in channels { channel.writeLeftover() }
      var hasMore = false
      for number in ports.indices where device.kick(ConsoleQueue.transmit(number).index) { hasMore = true }
      turns -= hasMore ? 1 : 0
      if hasMore, turns > 0 { continue }
      guard channels.lazy.filter({ $0.waitForProgress(milliseconds: Self.drainPause) }).first != nil else { return }
    } while !isOver()
  }

  /// How long one wait lasts, in milliseconds: another port may have room sooner.
  private static let drainPause: Int32 = 10

  // MARK: State, of a suspended device

  /// What the ports have beside the device's own state.
  package var savedState: ConsolePortsState {
    let underWay = console?.underWay
    return ConsolePortsState(
      output: underWay?.output ?? [],
      input: underWay?.input ?? [],
      exitStatus: exitStatus.text
    )
  }

  /// Goes on from a state, before the device does.
  ///
  /// - Throws: `DeviceStateError` for more bytes than ports keep.
  package func restore(_ saved: ConsolePortsState) throws(DeviceStateError) {
    guard saved.output.count <= ConsolePortsState.limit, saved.input.count <= ConsolePortsState.limit else {
      throw .invalid(device: device.name, field: "console")
    }
    console?.restore(output: saved.output, input: saved.input)
    restoredStatus = saved.exitStatus
  }

  /// The device has its own state: who opens a port says so anew.
  package func restored() {
    exitStatus.restore(restoredStatus)
    restoredStatus = []
    for (number, port) in ports.enumerated() {
      if let channel = port as? ChannelPort, channel.hasPeers { device.portReplaced(number) }
    }
  }

  /// Takes the channels out of the loop; the host's sides stay open.
  package func shutDown() {
    for channel in channels { channel.disconnect() }
  }
}

/// What is under way in a console device's ports, and what its guest has said of its exit status.
package struct ConsolePortsState: VersionedState, Equatable {
  package static let kind = "console-ports"
  package static let version: UInt32 = 1

  /// The most bytes of the console's under way, in one direction.
  static let limit = 64 << 10

  /// Of the console: what the guest has written and the console has not taken.
  var output: [UInt8]
  /// Of the console: what the guest has not got.
  var input: [UInt8]
  /// What it has written to the port of its exit status.
  var exitStatus: [UInt8]
}
