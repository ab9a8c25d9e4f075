internal import GuestMemory

/// The queues of a device that processes them in this process. For the device thread only.
public struct DeviceQueues {
  public private(set) var connection: DeviceConnection?
  public private(set) var features = VirtioFeatures()
  private var queues: [SplitVirtqueue?]

  public init(count: Int) {
    queues = Array(repeating: nil, count: count)
  }

  public mutating func attach(_ connection: DeviceConnection) {
    precondition(self.connection == nil, "a device is attached once")
    self.connection = connection
  }

  /// The queue, where it runs.
  public subscript(index: Int) -> SplitVirtqueue? { queues[index] }

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

  public mutating func stop(_ index: Int) { queues[index] = nil }

  public mutating func reset() {
    for index in queues.indices { queues[index] = nil }
    features = []
  }

  public var positions: [QueuePosition?] { queues.map { $0?.position } }
}
