internal import GuestMemory

/// The queues of a device that processes them in this process. For the device thread only.
public struct DeviceQueues {
  /// The device's way to the guest; `nil` until it is attached.
  public private(set) var connection: DeviceConnection?
  /// What the driver accepted; nothing until it starts the device.
  public private(set) var features = VirtioFeatures()
  private var queues: [SplitVirtqueue?]

  /// So many queues, of which none runs.
  public init(count: Int) {
    queues = Array(repeating: nil, count: count)
  }

  /// - Precondition: the device is not attached yet.
  public mutating func attach(_ connection: DeviceConnection) {
    precondition(self.connection == nil, "a device is attached once")
    self.connection = connection
  }

  /// The queue, where it runs.
  public subscript(index: Int) -> SplitVirtqueue? { queues[index] }

  /// Of all queues, whether they run or not.
  public var indices: Range<Int> { queues.indices }

  /// - Precondition: the device is attached.
  public mutating func start(_ features: VirtioFeatures, _ configurations: [QueueConfiguration?]) {
    self.features = features
    for index in queues.indices {
      if let configuration = configurations[index] { start(index, configuration) }
    }
  }

  /// - Precondition: the device is attached.
  public mutating func start(_ index: Int, _ configuration: QueueConfiguration) {
    guard let connection else { preconditionFailure("a device is attached before it starts") }
    queues[index] = SplitVirtqueue(configuration, index: index, view: connection.view, features: features)
  }

  /// Forgets a queue that the driver takes back. Nothing of it may be in flight.
  public mutating func stop(_ index: Int) { queues[index] = nil }

  /// Forgets all queues, and what the driver accepted. Nothing may be in flight; the device stays attached.
  public mutating func reset() {
    for index in queues.indices { queues[index] = nil }
    features = []
  }

  /// Where each queue goes on; `nil` for those that don't run.
  public var positions: [QueuePosition?] { queues.map { $0?.position } }
}
