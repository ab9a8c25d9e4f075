public import GuestMemory
public import Virtio

/// What a memory device's requests came to.
public struct MemoryCounters: Equatable, Sendable {
  /// Requests that were done (VIRTIO_MEM_RESP_ACK).
  public var acknowledged: UInt64 = 0
  /// Plugs beyond the requested size (VIRTIO_MEM_RESP_NACK).
  public var refused: UInt64 = 0
  /// Requests that could not be done at that time (VIRTIO_MEM_RESP_BUSY).
  public var busy: UInt64 = 0
  /// Requests that break the rules (VIRTIO_MEM_RESP_ERROR).
  public var errors: UInt64 = 0

  /// No requests.
  public init() {}
}

/// The memory device (virtio 1.3, 5.15): a region of the guest's addresses, in blocks that its driver plugs and unplugs
/// until they come to the size that is requested.
///
/// It offers VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE and works with no driver that does not accept it: what is unplugged
/// cannot even be read. A reset of the device leaves all blocks as they are; that of the machine unplugs them, since
/// the device is made anew then.
@safe
public final class MemoryDevice<Backend: MemoryBackend>: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says; the rest is immutable.

  /// Requests of one turn, after which other devices get theirs.
  public static var turnLimit: Int { 16 }
  /// How much larger the usable region is than the requested size, in bytes: two of the memory blocks that Linux with
  /// 64 KiB pages adds, so that a driver has a choice.
  public static var usableExtent: UInt64 { 1 << 30 }

  public let name: String
  public var identifier: VirtioDeviceIdentifier { .memory }
  public var reach: DeviceReach { .window }
  public var features: VirtioFeatures { [.splitVirtqueue, MemoryFeature.unpluggedInaccessible] }
  public var queueSizes: [UInt16] { [QueueSize.memory] }
  public let configuration: ConfigurationSpace

  /// The whole of the region.
  public let region: GuestRange
  /// In bytes: a power of two, of which the region's start and size are multiples.
  public let blockSize: UInt64

  let backend: Backend
  let state: DeviceThreadState<MemoryState>

  /// - Parameters:
  ///   - region: whose start and size are multiples of `blockSize`.
  ///   - blockSize: in bytes, a power of two.
  ///   - requestedSize: how much the guest is to plug, in bytes: a multiple of `blockSize`, no more than the region.
  public init(name: String, backend: Backend, region: GuestRange, blockSize: UInt64, requestedSize: UInt64) {
    precondition(blockSize.nonzeroBitCount == 1, "a block's size is a power of two")
    precondition(
      region.start.rawValue % blockSize == 0 && region.size % blockSize == 0,
      "a region starts and ends at a block"
    )
    self.name = name
    self.backend = backend
    self.region = region
    self.blockSize = blockSize
    var bytes = [UInt8](repeating: 0, count: MemoryField.size)
    bytes.store(blockSize, at: MemoryField.blockSize)
    bytes.store(region.start.rawValue, at: MemoryField.address)
    bytes.store(region.size, at: MemoryField.regionSize)
    configuration = ConfigurationSpace(bytes)
    state = DeviceThreadState(MemoryState(blockCount: Int(region.size / blockSize)))
    setRequestedSize(requestedSize)
  }

  // MARK: For its owner, on the device thread

  /// What the driver's requests came to so far.
  public var counters: MemoryCounters { state.value.counters }

  /// How much is plugged, in bytes.
  public var pluggedSize: UInt64 { UInt64(state.value.plugged.count) * blockSize }

  /// How much the driver is to have plugged, in bytes.
  public var requestedSize: UInt64 { state.value.requestedSize }

  /// How much of the region the driver may plug in, from its start, in bytes.
  public var usableSize: UInt64 { state.value.usableSize }

  /// Asks the driver to plug or unplug until it has so much, and tells it so.
  ///
  /// - Parameter size: in bytes: a multiple of the block size, and no more than the region.
  public func setRequestedSize(_ size: UInt64) {
    precondition(size % blockSize == 0 && size <= region.size, "whole blocks of the region are requested")
    state.value.requestedSize = size
    state.value.usableSize = max(state.value.usableSize, usableSize(for: size))
    showSizes()
    state.value.queues.connection?.interruptForConfigurationChange()
  }

  /// The back-end can answer what it was asked to do later.
  ///
  /// - Returns: whether requests were left for the next turn.
  public func backendReady() -> Bool { kick(0) }

  func usableSize(for requested: UInt64) -> UInt64 {
    guard requested > 0 else { return 0 }
    return min(region.size, requested + max(Self.usableExtent, blockSize))
  }

  func showSizes() {
    let (plugged, requested, usable) = (pluggedSize, requestedSize, usableSize)
    configuration.change { bytes in
      bytes.store(usable, at: MemoryField.usableSize)
      bytes.store(plugged, at: MemoryField.pluggedSize)
      bytes.store(requested, at: MemoryField.requestedSize)
    }
  }

  // MARK: Contract

  public func accepts(_ features: VirtioFeatures) -> Bool { features.contains(MemoryFeature.unpluggedInaccessible) }

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

  /// "The device MUST NOT change the state of memory blocks during device reset" (5.15.5).
  public func reset(_ finished: @escaping @Sendable () -> Void) {
    state.value.queues.reset()
    finished()
  }

  /// Nothing is in flight: a request for which the back-end needs a while is in its queue until then.
  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    state.value.isSuspended = true
    finished()
  }

  public func resume() { state.value.isSuspended = false }

  public var queuePositions: [QueuePosition?] { state.value.queues.positions }

  public func savedState() -> any VersionedState {
    var runs: [MemoryDeviceState.Run] = []
    var next = 0
    while let run = state.value.plugged.run(from: next) {
      runs.append(.init(first: UInt64(run.lowerBound), count: UInt64(run.count)))
      next = run.upperBound
    }
    return MemoryDeviceState(
      blockSize: blockSize,
      regionSize: region.size,
      usableSize: usableSize,
      requestedSize: requestedSize,
      plugged: runs
    )
  }

  public func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<MemoryDeviceState>(from: decoder).state
  }

  public func restore(_ state: any VersionedState) throws(DeviceStateError) {
    try restore(MemoryDeviceState(kindOf: state))
  }

  private func restore(_ saved: MemoryDeviceState) throws(DeviceStateError) {
    func invalid(_ field: String) -> DeviceStateError { .invalid(device: name, field: field) }
    guard saved.blockSize == blockSize else { throw invalid("blockSize") }
    guard saved.regionSize == region.size else { throw invalid("regionSize") }
    guard saved.requestedSize % blockSize == 0, saved.requestedSize <= region.size else {
      throw invalid("requestedSize")
    }
    guard saved.usableSize % blockSize == 0, (saved.requestedSize...region.size).contains(saved.usableSize) else {
      throw invalid("usableSize")
    }
    let usable = saved.usableSize / blockSize
    var behind: UInt64 = 0
    for run in saved.plugged {
      guard run.count > 0, run.first >= behind, run.first <= usable, run.count <= usable - run.first else {
        throw invalid("plugged")
      }
      behind = run.first + run.count
    }
    for run in saved.plugged {
      let blocks = Int(run.first)..<Int(run.first + run.count)
      guard backend.plug(blocks) == .done else {
        _ = backend.unplugAll()
        state.value.plugged.removeAll()
        throw invalid("plugged")
      }
      state.value.plugged.insert(blocks)
    }
    state.value.requestedSize = saved.requestedSize
    state.value.usableSize = saved.usableSize
    state.value.isSuspended = true
    showSizes()
  }

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
}
