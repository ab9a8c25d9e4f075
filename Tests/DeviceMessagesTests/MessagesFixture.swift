import CHost
import GuestMemory
import Host
import TestSupport
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioTesting

@testable import DeviceMessages

/// A loop that a test turns.
final class TestLoop {
  let loop: EventLoop
  private let timer: HostTimer

  init() throws {
    let loop = try EventLoop()
    let timer = try HostTimer()
    self.loop = loop
    _ = try loop.add(timer.rawValue, EventLoop.readable, ClosureHandler { _ in loop.stop() })
    self.timer = timer
  }

  /// Does what there is to do within some milliseconds.
  func turn(milliseconds: UInt64 = 1) {
    timer.clear()
    timer.arm(after: milliseconds * 1_000_000)
    try? loop.run()
    timer.clear()
  }

  /// Does something after each turn, until that has had its effect.
  ///
  /// - Returns: whether it came to be.
  func turn(_ body: () -> Void, until condition: () -> Bool) -> Bool {
    turn(until: {
      body()
      return condition()
    })
  }

  /// - Returns: whether it came to be.
  func turn(until condition: () -> Bool, within limit: Duration = .seconds(10)) -> Bool {
    let end = HostClock.monotonic + limit.nanoseconds
    while !condition() {
      if HostClock.monotonic > end { return false }
      turn()
    }
    return true
  }
}

/// A driver with a device behind registers, whose rings are laid out always alike.
struct TestDriver {
  typealias Queue = DriverQueue<TestMachine>

  let machine: TestMachine
  var queues: [Queue] = []
  let scratch: UInt64

  init(_ device: any VirtioDevice, _ thread: ImmediateThread, windowSize: UInt64 = 0x10_0000) throws {
    machine = try TestMachine(device, windowSize: windowSize, thread: thread)
    var address = machine.windowStart
    for (index, maximum) in device.queueSizes.enumerated() {
      let queue = DriverQueue(machine, index: index, size: min(maximum, 16), at: address)
      address = (queue.end + 15) & ~15
      queues.append(queue)
    }
    scratch = (address + 0xFFF) & ~0xFFF
  }

  mutating func start() {
    let driver = machine.driver
    precondition(driver.negotiate(driver.offeredFeatures), "the device agrees")
    for index in queues.indices {
      queues[index] = DriverQueue(machine, index: index, size: queues[index].size, at: queues[index].descriptorTable)
      precondition(driver.enable(queues[index]), "the device takes the queue")
    }
    driver.start()
  }

  mutating func request(_ buffers: [Queue.Buffer], to queue: Int = 0, head: UInt16 = 0) {
    queues[queue].writeChain(buffers, from: head)
    queues[queue].offer(head)
    machine.driver.notify(queue)
  }

  var needsReset: Bool { machine.driver.status & Status.deviceNeedsReset != 0 }
}

/// A device that is served, and the machine that it is served to: both on one loop, with a socket between them.
final class MessagesFixture: @unchecked Sendable {
  // SAFETY: @unchecked: used on one thread.

  let loop: TestLoop
  let path: String
  let device: MessagesDevice
  let thread = ImmediateThread()
  var driver: TestDriver
  private(set) var server: DeviceServer?
  private let folder: TemporaryFolder
  private let coding: StateCoding?
  private var serverThreads: [ServerThread] = []

  init(
    _ type: VirtioDeviceIdentifier,
    _ model: any VirtioDevice,
    windowSize: UInt64 = 0x10_0000,
    patience: Duration = .seconds(10),
    coding: StateCoding? = nil,
    starts: Bool = true
  ) throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    let path = folder.path("device")
    self.path = path
    let loop = try TestLoop()
    self.loop = loop
    let thread = try ServerThread(loop.loop)
    let log = Log()
    self.coding = coding
    let server = try Self.serve(model, path, loop, thread, log, coding)
    guard let socket = MessagePeer.connect(path: path) else { throw MessageFault.gone }
    let peer = MessagePeer(socket, room: 4096)
    loop.turn()
    let hello = try peer.takeGreeting(type, by: HostClock.monotonic + 1_000_000_000)
    let device = MessagesDevice(name: "device", type: type, peer, hello, path: path, patience: patience) { event in
      log.events.append(event)
    }
    self.device = device
    driver = try TestDriver(device, self.thread, windowSize: windowSize)
    self.server = server
    serverThreads = [thread]
    self.log = log
    device.begin(try LoopWatcher(device, loop.loop))
    self.thread.whileWaiting = { loop.turn() }
    if starts { driver.start() }
  }

  /// What was told.
  final class Log {
    var events: [MessagesDeviceEvent] = []
    var server: [String] = []
  }

  let log: Log

  private static func serve(
    _ model: any VirtioDevice,
    _ path: String,
    _ loop: TestLoop,
    _ thread: ServerThread,
    _ log: Log,
    _ coding: StateCoding?
  ) throws -> DeviceServer {
    try DeviceServer(
      model,
      ListeningSocket(path: path, isPrivate: true),
      loop: loop.loop,
      thread: thread,
      coding: coding,
      deadline: .milliseconds(300)
    ) { log.server.append($0) }
  }

  /// The server's process ends: its socket and its connection with it.
  func killServer() {
    server?.close()
    server = nil
  }

  /// Another process serves.
  func serve(_ model: any VirtioDevice) throws {
    let thread = try ServerThread(loop.loop)
    serverThreads.append(thread)
    server = try Self.serve(model, path, loop, thread, log, coding)
  }

  deinit {
    device.shutDown()
    server?.close()
  }
}
