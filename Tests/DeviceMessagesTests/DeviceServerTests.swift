import CHost
import Host
import MessagesTesting
import SCMI
import SCMIFile
import TestSupport
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@testable import DeviceMessages

/// Machines that break the rules of the protocol, and good ones after them.
@Suite struct DeviceServerTests {
  /// A served disk, and a connection that a test plays.
  private final class Bench {
    let loop: TestLoop
    let thread: ServerThread
    let server: DeviceServer
    let backend = MemoryBlock(sectors: 64)
    let model: BlockDevice<MemoryBlock>
    var peer: FakePeer
    var log: [String] { told.lines }
    private let told = Told()

    final class Told {
      var lines: [String] = []
    }

    init() throws {
      loop = try TestLoop()
      thread = try ServerThread(loop.loop)
      model = BlockDevice(name: "disk", backend: backend)
      let told = told
      server = try DeviceServer(model, nil, loop: loop.loop, thread: thread, deadline: .milliseconds(200)) {
        told.lines.append($0)
      }
      let (socket, peer) = FakePeer.pair()
      self.peer = peer
      take(socket)
    }

    func connect() {
      let (socket, peer) = FakePeer.pair()
      self.peer = peer
      take(socket)
    }

    private func take(_ socket: Int32) {
      server.take(OwnedDescriptor(owning: socket))
      loop.turn()
    }

    /// From the greeting to DRIVER_OK.
    func start() {
      peer.send(.hello, [1, 0, 0, 0])
      peer.send(.start, Self.start)
      loop.turn()
      _ = peer.take()
    }

    static let start = [UInt8](repeating: 0, count: 8) + [1] + [UInt8](repeating: 0, count: 11)

    /// A read of the first sector.
    func read(_ ticket: UInt64) {
      var prefix: [UInt8] = []
      prefix.append(number: UInt64(16) | UInt64(513) << 32)
      peer.send(.chain, ticket: ticket, prefix + [UInt8](repeating: 0, count: 16))
    }

    var isSentAway: Bool { loop.turn(until: { server.session == nil }, within: .seconds(5)) }
  }

  enum Attack: String, CaseIterable {
    case noGreeting, otherVersion, secondGreeting, chainBeforeStart, secondStart, sameTicketTwice, headBeyondQueue
    case emptyChain, tooLarge, beyondCredit, moreThanAnnounced, moreOfNothing, unknownQueue, completeToMe, stopOfNothing
    case readOnlyField, restoreWithoutStates, unknownKind, shortStart, startQueueTwice

    func run(_ bench: DeviceServerTests.Machine) {
      let peer = bench.peer
      func chain(_ ticket: UInt64, _ readable: UInt32, _ writable: UInt32, _ bytes: [UInt8] = [], queue: UInt16 = 0) {
        var prefix: [UInt8] = []
        prefix.append(number: UInt64(readable) | UInt64(writable) << 32)
        peer.send(.chain, queue: queue, ticket: ticket, prefix + bytes)
      }
      switch self {
      case .noGreeting: peer.send(.ping)
      case .otherVersion: peer.send(.hello, [2, 0, 0, 0])
      case .secondGreeting: peer.send(.hello, [1, 0, 0, 0])
      case .chainBeforeStart, .sameTicketTwice:
        chain(1 << 16, 0, 513)
        chain(1 << 16, 0, 513)
      case .secondStart: peer.send(.start, bench.start)
      case .headBeyondQueue: chain(1 << 16 | 128, 0, 513)
      case .emptyChain: chain(1 << 16, 0, 0)
      case .tooLarge: chain(1 << 16, 16, .max, [UInt8](repeating: 0, count: 16))
      case .beyondCredit: for head in UInt64(0)..<128 { chain(1 << 16 | head, 16, 8 << 20) }
      case .moreThanAnnounced: chain(1 << 16, 4, 513, [1, 2, 3, 4, 5])
      case .moreOfNothing: peer.send(.more, ticket: 1 << 16, [1])
      case .unknownQueue: chain(1 << 16, 0, 513, queue: 9)
      case .completeToMe: peer.complete(1 << 16, used: 0, [])
      case .stopOfNothing: peer.send(.stop, queue: 9)
      case .readOnlyField: peer.send(.configurationWrite, ticket: 0, [1])
      case .restoreWithoutStates: peer.send(.restore, [0, 0, 0, 0])
      case .unknownKind: peer.send(FakePeer.frame(77, 0))
      case .shortStart: peer.send(.start, [1])
      case .startQueueTwice: peer.send(.startQueue, queue: 0)
      }
    }

    /// What a machine has done before.
    var isStarted: Bool {
      switch self {
      case .noGreeting, .otherVersion, .chainBeforeStart, .restoreWithoutStates, .shortStart: false
      default: true
      }
    }

    var isGreeted: Bool { self != .noGreeting && self != .otherVersion }
  }

  /// What an attack sees of a bench.
  struct Machine {
    let peer: FakePeer
    let start: [UInt8]
  }

  @Test("a machine that breaks the rules is sent away, and the next one is served", arguments: Attack.allCases)
  func attack(_ attack: Attack) throws {
    let bench = try Bench()
    if attack.isStarted {
      bench.start()
    } else if attack.isGreeted {
      bench.peer.send(.hello, [1, 0, 0, 0])
    }

    attack.run(Machine(peer: bench.peer, start: Bench.start))

    #expect(bench.isSentAway)
    #expect(bench.log.last?.hasPrefix("a machine was sent away") == true, "\(bench.log)")
    bench.connect()
    bench.start()
    bench.read(1 << 16)
    var answers: [FakePeer.Frame] = []
    #expect(
      bench.loop.turn {
        answers += bench.peer.take()
      } until: {
        !answers.isEmpty
      }
    )
    #expect(answers.first?.kind == .complete)
    #expect(answers.first?.body.count == 8 + 513)
    #expect(answers.first.map { Array($0.body[8..<520]) == Array(bench.backend.bytes[..<512]) } == true)
  }

  @Test(arguments: [[UInt8](), [1, 2, 3]]) func halfAGreetingForEverKeepsNobodyOut(bytes: [UInt8]) throws {
    let bench = try Bench()
    bench.peer.send(bytes)
    #expect(bench.isSentAway)
  }

  @Test func halfAFrameForEverKeepsNobodyOut() throws {
    let bench = try Bench()
    bench.start()
    bench.peer.send([9, 0, 0])
    #expect(bench.isSentAway)
  }

  @Test func aMachineThatReadsNoneOfItsAnswersIsSentAwayBeforeTheyTakeMuchMemory() throws {
    let bench = try Bench()
    bench.start()
    let pings = (0..<4096).flatMap { _ in FakePeer.frame(MessageKind.ping.rawValue, 0) }
    var sent = 0

    while bench.server.session != nil, sent < 4000 {
      if bench.peer.send(pings) { sent += 1 }
      bench.loop.turn()
    }

    #expect(bench.isSentAway)
    #expect(sent * pings.count < 4 * ServerSession.answerLimit)
    bench.connect()
    bench.start()
    bench.read(1 << 16)
    #expect(bench.loop.turn(until: { !bench.peer.take().isEmpty }))
  }

  @Test func nothingOfOneMachineIsSeenByTheNext() throws {
    let bench = try Bench()
    bench.start()
    let secret = [UInt8](repeating: 0x5A, count: 512)
    var prefix: [UInt8] = []
    prefix.append(number: UInt64(16 + 512) | UInt64(1) << 32)
    let header: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]
    bench.peer.send(.chain, ticket: 1 << 16, prefix + header + secret)
    #expect(bench.loop.turn(until: { !bench.peer.take().isEmpty }))
    bench.peer.close()
    #expect(bench.isSentAway)
    bench.connect()
    bench.start()

    // An unknown request: the device writes its status alone, and the rest of the chain is as it was.
    prefix = []
    prefix.append(number: UInt64(16) | UInt64(4096) << 32)
    bench.peer.send(.chain, ticket: 1 << 16, prefix + [99, 0, 0, 0] + [UInt8](repeating: 0, count: 12))
    var answers: [FakePeer.Frame] = []
    #expect(
      bench.loop.turn {
        answers += bench.peer.take()
      } until: {
        !answers.isEmpty
      }
    )

    #expect(answers.first?.body == [0, 0, 0, 0, 1, 2, 0, 0])
  }

  @Test func aMachineThatGoesAmidARequestLeavesADeviceThatComesToRest() throws {
    let bench = try Bench()
    bench.backend.isDeferred = true
    bench.start()
    bench.read(1 << 16)
    #expect(bench.loop.turn(until: { bench.backend.inFlight == 1 }))
    bench.peer.close()
    #expect(bench.isSentAway)

    bench.backend.finishAll()
    _ = bench.model.backendReady()
    bench.backend.isDeferred = false
    bench.connect()
    bench.start()
    bench.read(2 << 16)
    var answers: [FakePeer.Frame] = []
    #expect(
      bench.loop.turn {
        answers += bench.peer.take()
      } until: {
        !answers.isEmpty
      }
    )

    #expect(answers.count == 1)
    #expect(answers.first?.ticket == 2 << 16)
  }

  @Test func anyFramesEndInAnAnswerOrASession() {
    var random = SplitMix64(seed: UInt64.random(in: 0...UInt64.max))
    for seeds in [ExerciseMessages.serverSeeds, ExerciseMessages.deviceSeeds] {
      for _ in 0..<60 {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) { bytes += seeds.randomElement(using: &random) ?? [] }
        for _ in 0..<Int.random(in: 0...3, using: &random) {
          bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        ExerciseMessages.server(bytes)
        ExerciseMessages.device(bytes)
      }
    }
  }
}

/// An SCMI platform, and states, by messages.
@Suite struct MessagesStateTests {
  private static func platform() throws -> SharedPlatform {
    let definition = PlatformDefinition { platform in
      platform.clocks = [ClockDefinition("pll") { $0.rates = .list([100, 200, 300]) }]
      platform.agents = [AgentDefinition("guest")]
    }
    return SharedPlatform(try SCMIPlatform(definition)) { 0 }
  }

  @Test func anAgentsCommandIsAnsweredByAPlatformInAnotherProcess() throws {
    let ends = SCMIEnds(try Self.platform())
    let fixture = try MessagesFixture(.scmi, ends.device)
    let at = fixture.driver.scratch
    // The base protocol's version.
    fixture.driver.machine.store([0, 0x40, 0, 0], at: at)

    fixture.driver.request([.init(at, 4, isWritable: false), .init(at + 0x100, 132, isWritable: true)])
    var used: TestDriver.Queue.Used?
    let isAnswered = fixture.loop.turn {
      used = fixture.driver.queues[0].takeUsed()
    } until: {
      used != nil
    }

    #expect(isAnswered)
    #expect(used == .init(head: 0, written: 12))
    #expect(fixture.driver.machine.bytes(at: at + 0x100, count: 8) == [0, 0x40, 0, 0, 0, 0, 0, 0])
  }

  @Test func aDeadPlatformsCommandsComeBackEmptyAndItsEventBuffersGoToTheNext() throws {
    let fixture = try MessagesFixture(.scmi, SCMIEnds(try Self.platform()).device)
    let at = fixture.driver.scratch
    fixture.driver.request([.init(at + 0x200, 132, isWritable: true)], to: 1)
    fixture.loop.turn(milliseconds: 5)
    fixture.server?.side.suspend {}
    fixture.driver.request([.init(at, 4, isWritable: false), .init(at + 0x100, 132, isWritable: true)])
    fixture.loop.turn(milliseconds: 5)

    fixture.killServer()
    var used: TestDriver.Queue.Used?
    #expect(
      fixture.loop.turn {
        used = fixture.driver.queues[0].takeUsed()
      } until: {
        used != nil
      }
    )
    try fixture.serve(SCMIEnds(try Self.platform()).device)
    #expect(fixture.loop.turn(until: { fixture.log.events.contains(.returned) }))

    #expect(used == .init(head: 0, written: 0))
    #expect(fixture.driver.queues[1].takeUsed() == nil)
    #expect(fixture.device.openChains(of: 1) == [0])
  }

  /// Keeps a state in this process.
  private final class Box: @unchecked Sendable {
    // SAFETY: @unchecked: used on one thread.
    var state: (any VersionedState)?

    var coding: StateCoding {
      StateCoding { state in
        self.state = state
        return [42]
      } decode: { bytes, _ in
        bytes == [42] ? self.state : nil
      }
    }
  }

  @Test func aStateThatWasTakenGoesOnWithAnotherProcess() throws {
    let box = Box()
    let first = try MessagesFixture(.scmi, SCMIEnds(try Self.platform()).device, coding: box.coding)
    let at = first.driver.scratch
    first.driver.request([.init(at + 0x200, 132, isWritable: true)], to: 1)
    first.loop.turn(milliseconds: 5)

    first.driver.machine.transport.suspend()
    let saved = try first.driver.machine.transport.savedState()
    let own = try first.driver.machine.transport.savedDeviceState()
    let state = try MessagesDeviceState(kindOf: own)
    let second = try MessagesFixture(
      .scmi,
      SCMIEnds(try Self.platform()).device,
      coding: box.coding,
      starts: false
    )
    let (start, size) = (first.driver.machine.windowStart, Int(first.driver.machine.windowSize))
    second.driver.machine.store(first.driver.machine.bytes(at: start, count: size), at: start)
    try second.driver.machine.transport.restore(saved, own)
    let again = try MessagesDeviceState(kindOf: second.driver.machine.transport.savedDeviceState())
    second.driver.machine.transport.resume()
    second.driver.queues = first.driver.queues.map { DriverQueue($0, movedTo: second.driver.machine) }
    second.driver.machine.store([0, 0x40, 0, 0], at: at)
    second.driver.request([.init(at, 4, isWritable: false), .init(at + 0x100, 132, isWritable: true)])
    var used: TestDriver.Queue.Used?
    let isAnswered = second.loop.turn {
      used = second.driver.queues[0].takeUsed()
    } until: {
      used != nil
    }

    #expect(state.model == [0, 0, 0, 0, 42])
    #expect(state.open == [.init(queue: 1, head: 0)] && again == state)
    #expect(isAnswered)
    #expect(used == .init(head: 0, written: 12))
    #expect(second.device.openChains(of: 1) == [0])
    #expect(second.log.events.isEmpty)
  }
}
