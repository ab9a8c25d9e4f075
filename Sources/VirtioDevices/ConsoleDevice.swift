internal import GuestMemory
public import Virtio

/// The console device with several ports (virtio 1.3, 5.3).
///
/// Data passes between the port and the guest's buffers without being kept here. A port that takes nothing stalls its
/// own transmit queue only. The device tells the guest about its ports through a control queue; what it has yet to tell
/// is a handful of bits for each port, so a guest that asks without end costs nothing.
///
/// The size of the first console stands in the configuration space and, once it was told with
/// ``resize(columns:rows:)``, goes to drivers of several ports as VIRTIO_CONSOLE_RESIZE, in the specification's order.
/// A Linux older than 6.15 that has not got that correction takes rows for columns.
@safe
public final class ConsoleDevice<Port: ConsolePort>: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable.

  /// Chains of one turn, after which other devices get theirs.
  public static var turnLimit: Int { 64 }
  /// Bytes of one turn. A chain may have gibibytes: its buffers may all be the same piece of the window.
  public static var turnBytes: Int { 256 << 10 }
  /// Bytes of each port that a reset takes before it gives the ring back: as much as Linux can have in one.
  public static var resetBytes: Int { 4 << 20 }
  /// Of each queue, in descriptors.
  public static var queueSize: UInt16 { QueueSize.console }

  public let name: String
  public var identifier: VirtioDeviceIdentifier { .console }
  public var reach: DeviceReach { .window }
  public var features: VirtioFeatures {
    [.splitVirtqueue, ConsoleFeature.size, ConsoleFeature.multiplePorts, ConsoleFeature.emergencyWrite]
  }
  public let queueSizes: [UInt16]
  public let configuration: ConfigurationSpace

  let backends: [Port]
  let state: DeviceThreadState<ConsoleState>

  /// - Parameters:
  ///   - ports: 1 to 31, the first of which is a console; their numbers are their positions.
  ///   - columns: of the first console, in characters; so `rows`.
  public init(name: String, ports: [(ConsolePortDescription, Port)], columns: UInt16 = 80, rows: UInt16 = 24) {
    precondition((1...31).contains(ports.count), "a console device has 1 to 31 ports")
    self.name = name
    backends = ports.map(\.1)
    // Two for each port and two for control.
    let queueCount = 2 * ports.count + 2
    queueSizes = Array(repeating: Self.queueSize, count: queueCount)
    state = DeviceThreadState(
      ConsoleState(
        ports: ports.map { ConsolePortState($0.0) },
        queueCount: queueCount,
        chainCapacity: Int(Self.queueSize)
      )
    )
    var bytes = [UInt8](repeating: 0, count: ConsoleField.size)
    bytes.store(columns, at: ConsoleField.columns)
    bytes.store(rows, at: ConsoleField.rows)
    bytes.store(UInt32(ports.count), at: ConsoleField.portMaximum)
    configuration = ConfigurationSpace(bytes, writableAt: ConsoleField.emergencyWrite, count: 4)
  }

  // MARK: Contract

  public func attach(_ connection: DeviceConnection) { state.value.queues.attach(connection) }

  public func start(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(features, configurations)
    // A driver that knows one port only has no message to say that it listens.
    if !features.contains(ConsoleFeature.multiplePorts) { setOpen(0, true) }
    finished()
  }

  public func startRestored(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(features, configurations)
    for index in state.value.ports.indices where state.value.ports[index].isOpen {
      backends[index].guestChanged(isOpen: true)
    }
    finished()
  }

  public func startQueue(
    _ index: Int,
    _ configuration: QueueConfiguration,
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(index, configuration)
    finished()
  }

  public func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    state.value.queues.stop(index)
    if case .transmit(let port) = ConsoleQueue(index) { state.value.ports[port].transmitted = 0 }
    finished()
  }

  public func reset(_ finished: @escaping @Sendable () -> Void) {
    // Until it is finished the rings are there, and so is what was written to them before.
    if mayWork { for port in state.value.ports.indices { _ = transmit(port, isLast: true) } }
    state.value.queues.reset()
    state.value.isDriverReady = false
    for index in state.value.ports.indices {
      state.value.ports[index].transmitted = 0
      state.value.ports[index].pending = []
      state.value.ports[index].isReady = false
      setOpen(index, false)
    }
    finished()
  }

  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    finished()
  }

  public func resume() {
    state.value.isSuspended = false
  }

  public func configurationWritten(at offset: Int, count: Int) {
    guard offset == ConsoleField.emergencyWrite else { return }
    let byte = configuration.load(ConsoleField.emergencyWrite, as: UInt8.self)
    // SAFETY: the copy is this call's own. A character that finds no room is lost: there is nobody to wait.
    _ = unsafe withUnsafeBytes(of: byte) { unsafe backends[0].take($0) }
  }

  public var queuePositions: [QueuePosition?] { state.value.queues.positions }

  public func savedState() -> any VersionedState {
    ConsoleDeviceState(
      isDriverReady: state.value.isDriverReady,
      isSizeKnown: state.value.isSizeKnown,
      ports: state.value.ports.map(\.saved)
    )
  }

  public func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<ConsoleDeviceState>(from: decoder).state
  }

  public func restore(_ state: any VersionedState) throws(DeviceStateError) {
    try restore(ConsoleDeviceState(kindOf: state))
  }

  private func restore(_ saved: ConsoleDeviceState) throws(DeviceStateError) {
    guard saved.ports.count == state.value.ports.count else { throw .invalid(device: name, field: "ports") }
    for index in saved.ports.indices where saved.ports[index].transmitted < 0 {
      throw .invalid(device: name, field: "ports[\(index)].transmitted")
    }
    for index in saved.ports.indices { state.value.ports[index].restore(saved.ports[index]) }
    state.value.isDriverReady = saved.isDriverReady
    state.value.isSizeKnown = saved.isSizeKnown
    state.value.isSuspended = true
  }

  // MARK: From the ports

  /// A port has bytes for the guest.
  ///
  /// - Returns: whether to call again when other devices had their turn.
  public func portReadable(_ port: Int) -> Bool {
    mayWork && receive(port)
  }

  /// A port has room again.
  ///
  /// - Returns: whether to call again when other devices had their turn.
  public func portWritable(_ port: Int) -> Bool {
    mayWork && transmit(port)
  }

  /// Something connected to a port on the host's side, or went.
  public func portChanged(_ port: Int, isConnected: Bool) {
    guard state.value.ports[port].isConnected != isConnected else { return }
    state.value.ports[port].isConnected = isConnected
    guard state.value.ports[port].isReady else { return }
    state.value.ports[port].pending.insert(.open)
    if mayWork { sendControl() }
  }

  /// What is connected to a port, if anything is, is not what was there before: the driver hears that it went.
  public func portReplaced(_ port: Int) {
    guard state.value.ports[port].isReady else { return }
    state.value.ports[port].pending.insert(.close)
    if state.value.ports[port].isConnected { state.value.ports[port].pending.insert(.open) }
    if mayWork { sendControl() }
  }

  /// The size of the first console became known, or changed.
  ///
  /// - Parameters:
  ///   - columns: in characters; so `rows`.
  public func resize(columns: UInt16, rows: UInt16) {
    configuration.change { bytes in
      bytes.store(columns, at: ConsoleField.columns)
      bytes.store(rows, at: ConsoleField.rows)
    }
    state.value.isSizeKnown = true
    state.value.queues.connection?.interruptForConfigurationChange()
    guard state.value.ports[0].isReady, state.value.ports[0].isConsole else { return }
    state.value.ports[0].pending.insert(.resize)
    if mayWork { sendControl() }
  }

  // MARK: Queues

  public func kick(_ index: Int) -> Bool {
    guard mayWork, state.value.queues[index] != nil else { return false }
    switch ConsoleQueue(index) {
    case .receive(let port): return receive(port)
    case .transmit(let port): return transmit(port)
    case .controlReceive:
      sendControl()
      return false
    case .controlTransmit: return receiveControl()
    }
  }

  var mayWork: Bool {
    guard !state.value.isSuspended, let connection = state.value.queues.connection else { return false }
    return !connection.hasFailed
  }

  func fail(_ index: Int, _ fault: DriverFault) {
    state.value.queues.connection?.fail(queue: index, fault)
  }

  func publish(_ queue: SplitVirtqueue) { state.value.queues.connection?.publish(queue) }

  /// From the port to the guest's buffers.
  private func receive(_ port: Int) -> Bool {
    let index = ConsoleQueue.receive(port).index
    guard let queue = state.value.queues[index], let connection = state.value.queues.connection else { return false }
    var budget = Self.turnBytes
    return connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.chain)
    } serve: {
      guard state.value.chain.readableBytes == 0 else { return .fault(.readableUnexpected) }
      let received = fillChain(from: port, limit: budget)
      // The port calls when it has something.
      guard received > 0 else { return .notNow(again: false) }
      queue.giveBack(head: state.value.chain.head, written: received)
      budget -= received
      return budget == 0 ? .lastOfTurn : .done
    }
  }

  private func fillChain(from port: Int, limit: Int) -> Int {
    var received = 0
    // SAFETY: the segments are this request's and are written only.
    let parts = unsafe state.value.chain.writableSegments
    for index in parts.indices where received < limit {
      let segment = unsafe parts[index]
      let count = unsafe backends[port].give(
        into: UnsafeMutableRawBufferPointer(start: segment.base, count: min(segment.count, limit - received))
      )
      received += count
      if unsafe count < segment.count { break }
    }
    return received
  }

  /// From the guest to the port. A chain that the port takes a part of stays in the ring, and what was taken of it is
  /// remembered as a number: nothing of the guest's is kept.
  private func transmit(_ port: Int, isLast: Bool = false) -> Bool {
    let index = ConsoleQueue.transmit(port).index
    guard let queue = state.value.queues[index], let connection = state.value.queues.connection else { return false }
    var budget = isLast ? Self.resetBytes : Self.turnBytes
    return connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.chain)
    } serve: {
      guard state.value.chain.writableBytes == 0 else { return .fault(.writableUnexpected) }
      guard drainChain(to: port, isLast: isLast, budget: &budget) else { return .notNow(again: budget == 0) }
      queue.giveBack(head: state.value.chain.head, written: 0)
      return .done
    }
  }

  /// Whether the port took all that is left of the chain; it is offered `budget` bytes at most.
  private func drainChain(to port: Int, isLast: Bool, budget: inout Int) -> Bool {
    state.value.chain.skipReadable(min(state.value.ports[port].transmitted, state.value.chain.readableBytes))
    // SAFETY: the segments are this request's and are read by the port only.
    let parts = unsafe state.value.chain.readableSegments
    for index in parts.indices {
      let segment = unsafe parts[index]
      let offered = unsafe UnsafeRawBufferPointer(start: segment.base, count: min(segment.count, budget))
      var count = offered.count
      if isLast {
        unsafe backends[port].takeLast(offered)
      } else {
        count = unsafe backends[port].take(offered)
        state.value.ports[port].transmitted += count
      }
      budget -= count
      if unsafe count < segment.count { return false }
    }
    state.value.ports[port].transmitted = 0
    return true
  }
}
