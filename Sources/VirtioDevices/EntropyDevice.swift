internal import GuestMemory
public import Virtio

/// Where an entropy device has its randomness from.
public protocol EntropySource: AnyObject, SendableMetatype {
  /// Fills the buffer, or a part of it from its beginning. On the device thread; must not block.
  ///
  /// - Returns: how many bytes are random now.
  func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int
}

/// The entropy device (virtio 1.3, 5.4): one queue, of buffers to be filled.
///
/// It fills at most ``requestLimit`` bytes of a request, which the specification allows ("one or more random bytes"),
/// and at most ``turnLimit`` requests in a turn: a guest that asks without end takes nothing from other devices.
@safe
public final class EntropyDevice<Source: EntropySource>: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable.

  /// The most that one request gets, in bytes.
  public static var requestLimit: Int { 65536 }
  /// Requests of one turn, after which other devices get theirs.
  public static var turnLimit: Int { 16 }
  private static var queueSize: UInt16 { QueueSize.entropy }

  public let name: String
  public var identifier: VirtioDeviceIdentifier { .entropy }
  public var reach: DeviceReach { .window }
  public var features: VirtioFeatures { .splitVirtqueue }
  public var queueSizes: [UInt16] { [Self.queueSize] }
  public let configuration = ConfigurationSpace([])

  private let source: Source
  private let state: DeviceThreadState<SimpleDeviceState>

  public init(name: String, source: Source) {
    self.name = name
    self.source = source
    state = DeviceThreadState(SimpleDeviceState(queueCount: 1, chainCapacity: Int(Self.queueSize)))
  }

  public func attach(_ connection: DeviceConnection) { state.value.queues.attach(connection) }

  public func start(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    state.value.queues.start(features, configurations)
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
    finished()
  }

  public func reset(_ finished: @escaping @Sendable () -> Void) {
    state.value.queues.reset()
    finished()
  }

  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    finished()
  }

  public func resume() {
    state.value.isSuspended = false
  }

  public var queuePositions: [QueuePosition?] { state.value.queues.positions }

  public func savedState() -> any VersionedState { EntropyDeviceState() }

  public func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<EntropyDeviceState>(from: decoder).state
  }

  public func restore(_ state: any VersionedState) throws(DeviceStateError) {
    try restore(EntropyDeviceState(kindOf: state))
  }

  private func restore(_ saved: EntropyDeviceState) throws(DeviceStateError) { state.value.isSuspended = true }

  public func kick(_ index: Int) -> Bool {
    guard !state.value.isSuspended, let queue = state.value.queues[index],
      let connection = state.value.queues.connection, !connection.hasFailed
    else {
      return false
    }
    return connection.workOff(queue, turn: Self.turnLimit) {
      queue.takeNext(into: &state.value.chain)
    } serve: {
      serve(queue)
    }
  }

  private func serve(_ queue: SplitVirtqueue) -> ServedChain {
    guard state.value.chain.readableBytes == 0 else { return .fault(.readableUnexpected) }
    var filled = 0
    // SAFETY: the segments are this request's and are written only.
    let parts = unsafe state.value.chain.writableSegments
    for index in parts.indices {
      let segment = unsafe parts[index]
      let wanted = unsafe min(segment.count, Self.requestLimit - filled)
      guard wanted > 0 else { break }
      let count = unsafe source.fill(UnsafeMutableRawBufferPointer(start: segment.base, count: wanted))
      filled += count
      if count < wanted { break }
    }
    queue.giveBack(head: state.value.chain.head, written: filled)
    return .done
  }
}
