public import Virtio
public import VirtioDriver

/// A device behind its registers with a driver that has set it up: queues at the window's beginning, scratch memory
/// behind them.
public struct DeviceFixture {
  public typealias Queue = DriverQueue<TestMachine>

  public let machine: TestMachine
  public let thread: ImmediateThread
  public var queues: [Queue] = []
  /// The first address of memory that no queue uses.
  public let scratch: UInt64

  /// - Parameters:
  ///   - features: what the driver accepts beside the transport's; `nil`: everything that is offered.
  ///   - queueSize: of each queue, where the device has such a large one.
  public init(_ device: any VirtioDevice, features: UInt64? = nil, queueSize: UInt16 = 16) throws {
    thread = ImmediateThread()
    machine = try TestMachine(device, thread: thread)
    let driver = machine.driver
    var address = machine.windowStart
    for (index, maximum) in device.queueSizes.enumerated() {
      let queue = DriverQueue(machine, index: index, size: min(maximum, queueSize), at: address)
      address = (queue.end + 15) & ~15
      queues.append(queue)
    }
    scratch = (address + 0xFFF) & ~0xFFF
    start(features.map { $0 | Feature.version1 | Feature.accessPlatform } ?? driver.offeredFeatures)
  }

  /// The driver of `fixture`, in a machine that has gone on from its state: it knows what it knew.
  public init(_ fixture: DeviceFixture, goingOnIn machine: TestMachine) {
    self.machine = machine
    thread = ImmediateThread()
    scratch = fixture.scratch
    queues = fixture.queues.map { Queue($0, movedTo: machine) }
  }

  /// From reset to DRIVER_OK.
  public func start(_ features: UInt64) {
    precondition(machine.driver.negotiate(features), "the device agrees")
    for queue in queues { precondition(machine.driver.enable(queue), "the device takes the queue") }
    machine.driver.start()
  }

  public var driver: Driver<TestMachine> { machine.driver }

  /// Puts a chain into a queue without notifying.
  public mutating func offer(_ buffers: [Queue.Buffer], to queue: Int, head: UInt16 = 0) {
    queues[queue].writeChain(buffers, from: head)
    queues[queue].offer(head)
  }

  /// Puts a chain into a queue and notifies.
  public mutating func request(_ buffers: [Queue.Buffer], to queue: Int, head: UInt16 = 0) {
    offer(buffers, to: queue, head: head)
    driver.notify(queue)
  }
}
