internal import VhostUser
internal import Virtio
internal import VirtioDriver
internal import VirtioMMIO
internal import VirtioTesting

/// Has a device whose back-end is elsewhere hear what a back-end may answer and ask, and read what it may write into
/// the memory that it is lent.
///
/// A program is a byte with the device's mode and what becomes of lost requests, the number of bytes of the part that
/// follows, that part (how messages are answered, ``ScriptedBackEnd``), and acts: of each a byte whose low three bits
/// say what is done, then its operands. Before each act the driver makes a chain available.
public enum ExerciseVhostUserDevice {
  /// How often there is a back-end anew.
  private static let connections = 3
  /// The driver's queue, in descriptors.
  private static let queueSize: UInt16 = 16
  /// Of the configuration space, in bytes.
  static let configurationSize = 4

  /// Runs a program to its end.
  public static func run(_ program: [UInt8]) {
    var acts = ProgramBytes(program)
    let kind = acts.byte()
    let connector = ScriptedConnector(acts.bytes(Int(acts.byte())), connections: connections)
    var patience = VhostUserPatience()
    patience.answer = 3_000_000
    (patience.firstPause, patience.lastPause) = (1_000_000, 1_000_000)
    var profile = VhostUserProfile.entropy
    profile.configurationSize = configurationSize
    profile.queueCount = nil
    profile.queueSize = queueSize
    profile.loss = kind & 4 == 0 ? .resubmit : .answer { _ in 0 }
    guard let thread = try? PumpedThread(),
      let link = try? VhostUserLink(connector, configurationSize: configurationSize, patience: patience)
    else { return }
    defer {
      link.close()
      connector.end()
      thread.end()
    }
    guard let offer = try? link.open(), profile.problem(with: offer) == nil, (try? link.begin()) != nil,
      let device = try? VhostUserDevice(
        name: "fuzz",
        profile,
        offer: offer,
        mode: kind & 3 == 1 ? .bounced : kind & 3 == 2 ? .direct : .inPlace,
        link: link,
        loop: thread.loop,
        thread: thread,
        tell: { _ in }
      )
    else { return }
    drive(device, thread, connector, &acts)
    device.release()
  }

  private static func drive(
    _ device: VhostUserDevice,
    _ thread: PumpedThread,
    _ connector: ScriptedConnector,
    _ acts: inout ProgramBytes
  ) {
    guard let kick = try? Notification(),
      let machine = try? TestMachine(
        device,
        windowSize: 0x10000,
        thread: thread,
        descriptors: Array(repeating: kick.descriptors, count: device.queueSizes.count)
      )
    else { return }
    var driver = EchoDriver(machine, size: queueSize)
    driver.start()
    // So many acts take a moment, and a program of nothing else no longer than that.
    for _ in 0..<64 where !acts.isEmpty {
      driver.request()
      kick.signal()
      let act = acts.byte()
      switch act & 7 {
      case 7 where act & 0x80 != 0: driver.start()
      default: connector.present?.act(act, &acts)
      }
      thread.turn()
    }
  }

  // MARK: Seeds

  /// What good back-ends do, and bad ones.
  public static var seeds: [[UInt8]] {
    let kinds: [UInt8] = [0, 1, 2, 4, 5]
    return kinds.flatMap { kind in acts.map { act in [kind] + act.flatMap(\.self) } }
  }

  private static let acts: [[[UInt8]]] = [
    // All is answered as it should be; requests come back, one or several at a time.
    [[0], serve, serve, call, serve],
    // A used ring that cannot be.
    [[0], used(0x85, 1, 1), serve, used(0, 255, 1), used(0, 1, 0x90), serve],
    // The memory, the socket and the channel of requests.
    [[0, 2, 0, 4, 255, 255, 255, 255], [3, 3, 1, 2, 3], [4, 2, 9, 0], [4, 3, 9, 2, 1, 1], serve],
    // The end, and the next one; a driver that begins anew.
    [[0], serve, [6], serve, [0x87], serve],
    // The first answers are good, and then: silence, another payload, another number, descriptors, bytes.
    [[12, 0, 0, 0, 0, 3], [4, 4, 1, 2, 3, 4], [6], serve],
    [[8, 0, 0, 5, 99, 5, 0, 6, 0], serve],
    [[7, 0, 0, 0, 7, 3, 1, 2], serve],
  ]

  private static let serve: [UInt8] = [0, 8]
  private static let call: [UInt8] = [5, 100]

  private static func used(_ identifier: UInt8, _ length: UInt8, _ ahead: UInt8) -> [UInt8] {
    [1, identifier, length, ahead]
  }
}

/// A driver of one queue, whose chains have 16 bytes to read and 64 to write.
private struct EchoDriver {
  private let machine: TestMachine
  private let size: UInt16
  private var queue: DriverQueue<TestMachine>
  private var head: UInt16 = 0

  init(_ machine: TestMachine, size: UInt16) {
    self.machine = machine
    self.size = size
    queue = DriverQueue(machine, index: 0, size: size, at: machine.windowStart)
  }

  /// From reset to DRIVER_OK.
  mutating func start() {
    queue = DriverQueue(machine, index: 0, size: size, at: machine.windowStart)
    guard machine.driver.negotiate(machine.driver.offeredFeatures), machine.driver.enable(queue) else { return }
    machine.driver.start()
  }

  /// Makes a chain available, of descriptors that a good driver would have got back by then.
  mutating func request() {
    let place = machine.windowStart + 0x2000
    queue.writeChain(
      [.init(place, 16, isWritable: false), .init(place + 0x1000, 64, isWritable: true)],
      from: head
    )
    queue.offer(head)
    head = (head + 2) % size
    while queue.takeUsed() != nil {}
    _ = machine.transport.kick(queue: 0)
  }
}
