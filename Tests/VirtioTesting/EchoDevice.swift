public import GuestMemory
public import Virtio

/// The smallest device that uses everything: it copies what it can read of a chain to what it can write of it.
///
/// Two queues; 8 bytes of configuration, the second half writable.
@safe
public final class EchoDevice: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: on the device thread only, as the contract says.

  public let name = "echo"
  public let identifier = VirtioDeviceIdentifier.entropy
  public let reach = DeviceReach.window
  public let features: VirtioFeatures = .splitVirtqueue
  public let queueSizes: [UInt16] = [16, 16]
  public let configuration = ConfigurationSpace([1, 2, 3, 4, 5, 6, 7, 8], writableAt: 4, count: 4)
  public private(set) var configurationWrites: [ConfigurationWrite] = []
  /// Chains to take before the next is left for later.
  public var turn = Int.max
  /// What it was last started with; `nil` before that and after a reset.
  public private(set) var startedWith: VirtioFeatures?
  /// Whether it went on from a state.
  public private(set) var isRestored = false
  /// Called with each chain taken, before it is read.
  public var onTake: () -> Void = {}

  private var queues = DeviceQueues(count: 2)
  private var chain = DescriptorChain(capacity: 16)
  private var isSuspended = false

  public init() {}

  public func sharedMemory(_ identifier: UInt8) -> GuestRange? {
    identifier == 3 ? GuestRange(at: 0x1_2345_6000, size: 0x2_0000_1000) : nil
  }

  public func attach(_ connection: DeviceConnection) { queues.attach(connection) }

  public func start(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    precondition(startedWith == nil, "a device is reset between two starts")
    startedWith = features
    queues.start(features, configurations)
    finished()
  }

  public func startRestored(
    _ features: VirtioFeatures,
    queues configurations: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    isRestored = true
    start(features, queues: configurations, finished)
  }

  public func startQueue(
    _ index: Int,
    _ configuration: QueueConfiguration,
    _ finished: @escaping @Sendable () -> Void
  ) {
    queues.start(index, configuration)
    finished()
  }

  public func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    queues.stop(index)
    finished()
  }

  public func kick(_ index: Int) -> Bool {
    guard !isSuspended, let queue = queues[index], let connection = queues.connection, !connection.hasFailed else {
      return false
    }
    return connection.workOff(queue, turn: turn) {
      queue.takeNext(into: &chain)
    } serve: {
      onTake()
      echo(queue)
      return .done
    }
  }

  private func echo(_ queue: SplitVirtqueue) {
    var written = 0
    while let byte = chain.takeReadable(as: UInt8.self) {
      // SAFETY: the copy is this loop's own.
      written += unsafe withUnsafeBytes(of: byte) { unsafe chain.write($0) }
    }
    queue.giveBack(head: chain.head, written: written)
  }

  public func reset(_ finished: @escaping @Sendable () -> Void) {
    queues.reset()
    startedWith = nil
    finished()
  }

  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    isSuspended = true
    finished()
  }

  public func resume() {
    isSuspended = false
  }

  public func configurationWritten(at offset: Int, count: Int) {
    configurationWrites.append(.init(offset: offset, count: count))
  }

  public var queuePositions: [QueuePosition?] { queues.positions }

  public func savedState() -> any VersionedState { State() }

  public func decodeState(from decoder: any Decoder) throws -> any VersionedState {
    try Versioned<State>(from: decoder).state
  }

  public func restore(_ state: any VersionedState) throws(DeviceStateError) {
    _ = try State(kindOf: state)
    isSuspended = true
  }

  /// Of which there is nothing to be said.
  public struct State: VersionedState, Equatable {
    public static var kind: String { "echo" }
    public static var version: UInt32 { 3 }

    public init() {}
  }

  public struct ConfigurationWrite: Equatable, Sendable {
    public let offset: Int
    public let count: Int

    public init(offset: Int, count: Int) {
      self.offset = offset
      self.count = count
    }
  }
}
