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

  /// In bytes.
  public static var requestLimit: Int { 65536 }
  public static var turnLimit: Int { 16 }
  private static var queueSize: UInt16 { QueueSize.entropy }

  public let name: String
  public var identifier: VirtioDeviceIdentifier { .entropy }
  public var reach: DeviceReach { .window }
  public var features: VirtioFeatures { .splitVirtqueue }
  public var queueSizes: [UInt16] { [Self.queueSize] }
  public let configuration = ConfigurationSpace([])

  private let source: Source
  private let confined: DeviceThreadState<SimpleDeviceState>

  public init(name: String, source: Source) {
    self.name = name
    self.source = source
    confined = DeviceThreadState(SimpleDeviceState(queueCount: 1, chainCapacity: Int(Self.queueSize)))
  }

  public func attach(_ connection: DeviceConnection) { confined.value.queues.attach(connection) }

  public func start(_ features: VirtioFeatures, queues configurations: [QueueConfiguration?]) {
    confined.value.queues.start(features, configurations)
  }

  public func startQueue(_ index: Int, _ configuration: QueueConfiguration) {
    confined.value.queues.start(index, configuration)
  }

  public func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) {
    confined.value.queues.stop(index)
    finished()
  }

  public func reset(_ finished: @escaping @Sendable () -> Void) {
    confined.value.queues.reset()
    finished()
  }

  public func suspend(_ finished: @escaping @Sendable () -> Void) {
    confined.value.isSuspended = true
    finished()
  }

  public func resume() {
    confined.value.isSuspended = false
  }

  public func state() -> DeviceState { DeviceState(queues: confined.value.queues.positions) }

  public func restore(_ state: DeviceState) throws(DeviceStateError) {
    guard state.version == 1 else { throw .unknownVersion(device: name, version: state.version) }
    guard state.words.isEmpty else { throw .invalid(device: name, field: "words") }
    confined.value.isSuspended = true
  }

  public func kick(_ index: Int) -> Bool {
    guard !confined.value.isSuspended, let queue = confined.value.queues[index],
      let connection = confined.value.queues.connection, !connection.hasFailed
    else {
      return false
    }
    var taken = 0
    queue.suppressNotifications()
    repeat {
      taking: while taken < Self.turnLimit {
        switch queue.takeNext(into: &confined.value.chain) {
        case .empty:
          break taking
        case .fault(let fault):
          connection.fail(queue: index, fault)
          return false
        case .chain:
          if let fault = serve(queue) {
            connection.fail(queue: index, fault)
            return false
          }
          taken += 1
        }
      }
      if queue.publish() { connection.interruptForUsedBuffers() }
      if taken == Self.turnLimit { return true }
    } while queue.resumeNotifications()
    return false
  }

  private func serve(_ queue: SplitVirtqueue) -> GuestFault? {
    guard confined.value.chain.readableBytes == 0 else { return .readableUnexpected }
    var filled = 0
    // SAFETY: the segments are this request's and are written only.
    let parts = unsafe confined.value.chain.writableSegments
    for index in parts.indices {
      let segment = unsafe parts[index]
      let wanted = unsafe min(segment.count, Self.requestLimit - filled)
      guard wanted > 0 else { break }
      let count = unsafe source.fill(UnsafeMutableRawBufferPointer(start: segment.base, count: wanted))
      filled += count
      if count < wanted { break }
    }
    queue.giveBack(head: confined.value.chain.head, written: filled)
    return nil
  }
}
