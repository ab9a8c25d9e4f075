import CHost
import Glibc
import GuestMemory
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioTesting

/// A transport without a register, as a vhost-user back-end is one: messages set features and queues, a driver notifies
/// by an eventfd for each queue and is called by another, and a queue that is stopped says how far it has come.
private final class DescriptorTransport: WindowMachine, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  let side: DeviceTransportSide
  let space: DMASpace
  let kicks: [Int32]
  let calls: CallLine
  let thread = ImmediateThread()
  let observer = FaultRecorder()

  /// Signals the queues' eventfds.
  final class CallLine: InterruptLine {
    let calls: [Int32]

    init(count: Int) { calls = (0..<count).map { _ in chost_eventfd() } }

    func raise(_ cause: InterruptCause) {
      guard case .usedBuffers(let queues) = cause else { return }
      for (index, call) in calls.enumerated() where queues & 1 << UInt64(index) != 0 { chost_eventfd_signal(call) }
    }
  }

  init(_ device: any VirtioDevice, window: borrowing DMAWindow) {
    space = window.makeSpace()
    kicks = device.queueSizes.map { _ in chost_eventfd() }
    calls = CallLine(count: kicks.count)
    side = DeviceTransportSide(
      device: device,
      space: window.makeSpace(),
      line: calls,
      thread: thread,
      descriptors: zip(kicks, calls.calls).map { QueueDescriptors(kick: $0, call: $1) },
      observer: observer
    )
  }

  func end() { for descriptor in kicks + calls.calls { _ = close(descriptor) } }

  /// SET_FEATURES, SET_VRING_NUM, _ADDR and _BASE of each queue, SET_VRING_ENABLE.
  func start(_ features: VirtioFeatures, _ queues: [QueueConfiguration?]) {
    let flag = Flag()
    side.start(features, queues: queues) { flag.value = true }
    #expect(flag.value)
  }

  /// GET_VRING_BASE of each queue.
  func stop() -> [QueuePosition?] {
    let positions = Positions()
    side.suspend { [side] in
      positions.value = side.queuePositions
      for (index, position) in positions.value.enumerated() where position != nil { side.stopQueue(index) {} }
    }
    var rounds = 0
    while positions.value.isEmpty, rounds < 100 {
      thread.whileWaiting()
      rounds += 1
    }
    return positions.value
  }

  /// Looks at every kick that there is.
  func serve() {
    for (queue, kick) in kicks.enumerated() where chost_counter_take(kick) > 0 {
      while side.kick(queue: queue) {}
    }
  }

  func isCalled(_ queue: Int) -> Bool { chost_counter_take(calls.calls[queue]) > 0 }

  final class Flag: @unchecked Sendable {
    // SAFETY: @unchecked: used on one thread.
    var value = false
  }

  private final class Positions: @unchecked Sendable {
    // SAFETY: @unchecked: used on one thread.
    var value: [QueuePosition?] = []
  }

  func readRegister(_ offset: UInt64, width: Int) -> UInt64 { preconditionFailure("there are no registers") }
  func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) { preconditionFailure("there are no registers") }
}

@Suite struct DescriptorTransportTests {
  private typealias Queue = DriverQueue<DescriptorTransport>

  private static let features: VirtioFeatures = [.version1, .accessPlatform, .eventIndex]
  private static let range = GuestRange(at: 0x5000_0000, size: 0x10_0000)

  private func configuration(_ queue: Queue, _ position: QueuePosition = QueuePosition()) -> QueueConfiguration {
    QueueConfiguration(
      size: queue.size,
      descriptorTable: queue.descriptorTable,
      driverArea: queue.driverArea,
      deviceArea: queue.deviceArea,
      position: position
    )
  }

  /// Offers a request to read a sector to `buffer`; the status goes behind the header.
  private func read(_ sector: UInt64, to buffer: UInt64, head: UInt16, on queue: inout Queue) {
    let at = Self.range.start.rawValue + 0x8000 + 0x20 * UInt64(head)
    queue.machine.store64(0, at: at)
    queue.machine.store64(sector, at: at + 8)
    queue.machine.store8(0xEE, at: at + 16)
    queue.writeChain(
      [
        .init(at, 16, isWritable: false), .init(buffer, 512, isWritable: true), .init(at + 16, 1, isWritable: true),
      ],
      from: head
    )
    queue.offer(head)
    chost_eventfd_signal(queue.machine.kicks[queue.index])
  }

  @Test func anotherTransportDrivesADiskByDescriptorsAndAddresses() throws {
    let backend = MemoryBlock(sectors: 64)
    let device = BlockDevice(name: "disk", backend: backend)
    let window = try DMAWindow(name: "test", range: Self.range)
    let transport = DescriptorTransport(device, window: window)
    defer { transport.end() }
    var queue = Queue(transport, index: 0, size: 16, at: transport.windowStart)
    let buffer = transport.windowStart + 0x10000

    transport.start(Self.features, [configuration(queue)])
    read(3, to: buffer, head: 0, on: &queue)
    transport.serve()

    #expect(queue.takeUsed() == .init(head: 0, written: 513))
    #expect(transport.bytes(at: buffer, count: 512) == Array(backend.bytes[1536..<2048]))
    #expect(transport.isCalled(0))
    #expect(transport.side.connection.counters.kicks == 2)

    // Stopped with requests in flight and one not taken yet, and set up anew where it stood, on another device.
    backend.isDeferred = true
    read(4, to: buffer, head: 0, on: &queue)
    transport.serve()
    transport.thread.whileWaiting = {
      backend.finishAll()
      _ = device.backendReady()
    }
    read(5, to: buffer + 512, head: 3, on: &queue)
    let positions = transport.stop()
    #expect(positions == [QueuePosition(nextAvailable: 2, nextUsed: 2)])
    #expect(queue.usedIndex == 2)
    transport.serve()
    #expect(queue.usedIndex == 2)

    backend.isDeferred = false
    let next = DescriptorTransport(BlockDevice(name: "disk", backend: backend), window: window)
    defer { next.end() }
    next.start(Self.features, [configuration(queue, positions[0] ?? QueuePosition())])
    #expect(queue.usedIndex == 3)
    #expect(transport.bytes(at: buffer + 512, count: 512) == Array(backend.bytes[2560..<3072]))
    #expect(next.observer.events == [])
  }

  @Test func callsAreTheirQueuesOwn() throws {
    let (first, second) = (MemoryPort(), MemoryPort())
    let device = ConsoleDevice(
      name: "console",
      ports: [(ConsolePortDescription(isConsole: true), first), (ConsolePortDescription(), second)]
    )
    let window = try DMAWindow(name: "test", range: Self.range)
    let transport = DescriptorTransport(device, window: window)
    defer { transport.end() }
    var queues = (0..<6).map { Queue(transport, index: $0, size: 8, at: transport.windowStart + 0x1000 * UInt64($0)) }
    transport.start([.version1, .accessPlatform], queues.map { configuration($0) })

    queues[5].writeChain([.init(transport.windowStart + 0x8000, 4, isWritable: false)])
    queues[5].offer(0)
    chost_eventfd_signal(transport.kicks[5])
    transport.serve()

    #expect(second.taken.count == 4)
    #expect((0..<6).map { transport.isCalled($0) } == [false, false, false, false, false, true])
  }

  @Test func whatAnotherProcessNeedsIsWithinReach() throws {
    let window = try DMAWindow(name: "test", range: Self.range)
    let transport = DescriptorTransport(RemoteDevice(), window: window)
    defer { transport.end() }
    let queue = Queue(transport, index: 0, size: 8, at: transport.windowStart)

    transport.start([.version1, .accessPlatform], [configuration(queue)])

    let connection = transport.side.connection
    let lent = window.fileDescriptor
    #expect(connection.descriptors == [QueueDescriptors(kick: transport.kicks[0], call: transport.calls.calls[0])])
    #expect(connection.space.parts == [DMAPiece(range: Self.range, permissions: .readWrite, fileDescriptor: lent)])
    #expect(transport.side.device.takesKickDescriptors)
    #expect((transport.side.device as? RemoteDevice)?.queue == configuration(queue))
  }

  @Test(
    arguments: [
      ([.version1, .accessPlatform], 8, 2, .ringMisaligned),
      ([.version1, .accessPlatform], 8, 0x10_0000, .ringOutsideWindow),
      ([.version1, .accessPlatform], 3, 0, .queueSizeNotPowerOfTwo),
      ([.version1], 8, 0, .accessPlatformMissing), ([.accessPlatform], 8, 0, .version1Missing),
      ([.version1, .accessPlatform, VirtioFeatures(bit: 3)], 8, 0, .featureNotOffered),
    ] as [(VirtioFeatures, UInt16, UInt64, DriverFault)]
  )
  func whatNoDeviceCanWorkWithIsRefusedWhateverTheTransport(
    features: VirtioFeatures,
    size: UInt16,
    shift: UInt64,
    fault: DriverFault
  ) throws {
    let device = EchoDevice()
    let window = try DMAWindow(name: "test", range: Self.range)
    let transport = DescriptorTransport(device, window: window)
    defer { transport.end() }
    var bad = configuration(Queue(transport, index: 0, size: 8, at: transport.windowStart))
    bad.size = size
    bad.deviceArea += shift

    transport.start(features, [bad, nil])

    #expect(transport.observer.events.map(\.fault) == [fault])
    #expect(transport.side.status == [.deviceNeedsReset])
    #expect(device.startedWith == nil)
    let flag = DescriptorTransport.Flag()
    transport.side.reset { flag.value = true }
    #expect(flag.value)
    bad = configuration(Queue(transport, index: 0, size: 8, at: transport.windowStart))
    transport.start([.version1, .accessPlatform], [bad, nil])
    #expect(device.startedWith == [.version1, .accessPlatform])
  }
}

/// A device whose queue is processed elsewhere: it remembers what it would pass on.
private final class RemoteDevice: VirtioDevice, @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  let name = "remote"
  let identifier = VirtioDeviceIdentifier.entropy
  let reach = DeviceReach.window
  let features = VirtioFeatures()
  let queueSizes: [UInt16] = [8]
  let configuration = ConfigurationSpace([])
  let takesKickDescriptors = true
  var queue: QueueConfiguration?

  func attach(_ connection: DeviceConnection) {}

  func start(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) {
    queue = queues[0]
    finished()
  }

  func startRestored(
    _ features: VirtioFeatures,
    queues: [QueueConfiguration?],
    _ finished: @escaping @Sendable () -> Void
  ) { start(features, queues: queues, finished) }

  func startQueue(_ index: Int, _ configuration: QueueConfiguration, _ finished: @escaping @Sendable () -> Void) {
    finished()
  }

  func stopQueue(_ index: Int, _ finished: @escaping @Sendable () -> Void) { finished() }
  func kick(_ queue: Int) -> Bool { false }
  func reset(_ finished: @escaping @Sendable () -> Void) { finished() }
  func suspend(_ finished: @escaping @Sendable () -> Void) { finished() }
  func resume() {}
  var queuePositions: [QueuePosition?] { [queue?.position] }
  func savedState() -> any VersionedState { EntropyDeviceState() }
  func decodeState(from decoder: any Decoder) throws -> any VersionedState { EntropyDeviceState() }
  func restore(_ state: any VersionedState) {}
}
