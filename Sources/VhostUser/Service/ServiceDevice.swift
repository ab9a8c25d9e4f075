internal import GuestMemory
internal import Virtio

/// What is between a service and its queues.
final class ServiceDevice: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable.

  /// What front-ends have at most: QEMU's.
  static let queueSize: UInt16 = 1024
  /// Requests of one turn, after which other devices get theirs.
  private static let turnLimit = 64

  let name: String
  let identifier: VirtioDeviceIdentifier
  var reach: DeviceReach { .window }
  let features: VirtioFeatures
  let queueSizes: [UInt16]
  let configuration: ConfigurationSpace

  private let service: any VhostUserService
  private let state: DeviceThreadState<State>

  private struct State: ~Copyable {
    var queues: DeviceQueues
    var chain = DescriptorChain(capacity: Int(ServiceDevice.queueSize))
    var isSuspended = false
  }

  init(_ service: any VhostUserService) {
    self.service = service
    name = service.name
    identifier = service.identifier
    features = service.features.union(.splitVirtqueue)
    queueSizes = Array(repeating: Self.queueSize, count: service.queueCount)
    configuration = ConfigurationSpace(service.configuration)
    state = DeviceThreadState(State(queues: DeviceQueues(count: service.queueCount)))
  }

  func attach(_ connection: DeviceConnection) { state.value.queues.attach(connection) }

  func start(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    service.reset()
    state.value.queues.start(features, configurations)
    finished()
  }

  func startRestored(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(features, configurations)
    finished()
  }

  func startQueue(_ index: Int, _ configuration: QueueConfiguration, _ finished: @escaping @Sendable () -> Void) {
    state.value.queues.start(index, configuration)
    finished()
  }

  func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    state.value.queues.stop(index)
    finished()
  }

  func reset(_ finished: @escaping @Sendable () -> Void) {
    state.value.queues.reset()
    finished()
  }

  func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    finished()
  }

  func resume() { state.value.isSuspended = false }

  var queuePositions: [QueuePosition?] { state.value.queues.positions }

  // What a service knows stays with it, and no transport here takes a state away.

  func savedState() -> any VersionedState { ServiceDeviceState() }

  func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<ServiceDeviceState>(from: decoder).state
  }

  func restore(_ state: any VersionedState) throws(DeviceStateError) {
    _ = try ServiceDeviceState(kindOf: state)
    self.state.value.isSuspended = true
  }

  func kick(_ index: Int) -> Bool {
    guard !state.value.isSuspended, let queue = state.value.queues[index],
      let connection = state.value.queues.connection, !connection.hasFailed
    else { return false }
    return connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.chain)
    } serve: {
      serve(queue)
    }
  }

  private func serve(_ queue: SplitVirtqueue) -> ServedChain {
    let count = state.value.chain.readableBytes
    guard count <= VhostUserServiceLimit.requestSize else { return .fault(.chainTooLong) }
    var request = [UInt8](repeating: 0, count: count)
    // SAFETY: the array holds for the call and has as many bytes as are taken.
    let isTaken = unsafe request.withUnsafeMutableBytes { unsafe state.value.chain.takeReadable(into: $0) }
    precondition(isTaken, "as many bytes are taken as there are")
    let answer = service.answer(request, queue: queue.index, room: state.value.chain.writableBytes)
    // SAFETY: the array holds for the call.
    let written = unsafe answer.withUnsafeBytes { unsafe state.value.chain.write($0) }
    queue.giveBack(head: state.value.chain.head, written: written)
    return .done
  }
}

/// A service's, of which the device knows nothing.
struct ServiceDeviceState: VersionedState, Equatable {
  static var kind: String { "vhost-user-service" }
  static var version: UInt32 { 1 }
}
