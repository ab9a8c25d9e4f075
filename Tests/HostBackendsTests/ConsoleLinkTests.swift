import Glibc
import Host
import Logging
import Testing

@testable import HostBackends

/// A console with one line to show.
private final class LinePort: GuestConsole {
  private let output: SharedEventDescriptor
  private let room: SharedEventDescriptor
  private let taken: SharedEventDescriptor
  private var line: [UInt8] = Array("line\n".utf8)

  /// - Parameter taken: rung when the line has been taken.
  init(taken: SharedEventDescriptor) throws {
    output = SharedEventDescriptor(try EventDescriptor())
    room = SharedEventDescriptor(try EventDescriptor())
    self.taken = taken
    output.value.signal()
  }

  var outputDescriptor: Int32 { output.value.rawValue }
  func answerOutput() { output.value.clear() }
  func armOutput(after _: UInt64) {}
  var inputRoomDescriptor: Int32 { room.value.rawValue }
  func answerInputRoom() { room.value.clear() }
  var signalInputRoom: @Sendable () -> Void { {} }
  func takeOutput(limit: Int) -> [UInt8] {
    defer { line = [] }
    if !line.isEmpty { taken.value.signal() }
    return line
  }
  func inputSpace() -> Int { 0 }
  func receive(_: ArraySlice<UInt8>) {}
}

/// A console with a gibibyte to show.
private final class FloodingPort: GuestConsole {
  private let output: SharedEventDescriptor
  private let room: SharedEventDescriptor
  private(set) var taken = 0
  private(set) var armings = 0

  init() throws {
    output = SharedEventDescriptor(try EventDescriptor())
    room = SharedEventDescriptor(try EventDescriptor())
    output.value.signal()
  }

  var outputDescriptor: Int32 { output.value.rawValue }
  func answerOutput() { output.value.clear() }
  func armOutput(after _: UInt64) {
    armings += 1
    output.value.signal()
  }
  var inputRoomDescriptor: Int32 { room.value.rawValue }
  func answerInputRoom() { room.value.clear() }
  var signalInputRoom: @Sendable () -> Void { {} }
  func takeOutput(limit: Int) -> [UInt8] {
    guard taken < 1 << 30 else { return [] }
    taken += limit
    return [UInt8](repeating: 0, count: limit)
  }
  func inputSpace() -> Int { 0 }
  func receive(_: ArraySlice<UInt8>) {}
}

@Suite(.timeLimit(.minutes(10))) struct ConsoleLinkTests {
  @Test(arguments: [ConsoleEndpoint.Destination.none, .stream(ConsoleStream()), .file(path: "/dev/null")])
  func aGuestThatNeverStopsWritingLeavesTheLoopToOthersAndEndsWithTheRun(console: ConsoleEndpoint.Destination) throws {
    let loop = try EventLoop()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let endpoint = try ConsoleEndpoint(console, files: RunFiles(), logger: logger)
    let port = try FloodingPort()
    let link = try ConsoleLink(
      endpoint: endpoint,
      port: port,
      takesInput: true,
      loop: loop,
      logger: logger,
      stop: {},
      fail: { _ in }
    )
    let other = SharedEventDescriptor(try EventDescriptor())
    _ = try loop.add(other.value.rawValue, EventLoop.readable, ClosureHandler { _ in loop.stop() })
    other.value.signal()

    try loop.run()
    let takenWhileRunning = port.taken
    var looks = 0
    let drained = link.drain {
      looks += 1
      return looks == 2
    }
    _ = link.drain { true }

    #expect(takenWhileRunning <= 256 << 10)
    #expect(port.armings <= 1)
    #expect(drained == .cutOff)
    #expect(looks == 2)
    #expect(port.taken <= 1 << 20)
  }

  @Test func outputThatWasLostAfterTheGuestPoweredOffIsToldAtTheEnd() throws {
    let loop = try EventLoop()
    var failures: [HostError] = []
    let taken = SharedEventDescriptor(try EventDescriptor())
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let endpoint = try ConsoleEndpoint(.file(path: "/dev/full"), files: RunFiles(), logger: logger)
    let port = try LinePort(taken: taken)
    let link = try ConsoleLink(
      endpoint: endpoint,
      port: port,
      takesInput: true,
      loop: loop,
      logger: logger,
      stop: {},
      fail: { failures.append($0) }
    )
    _ = try loop.add(taken.value.rawValue, EventLoop.readable, ClosureHandler { _ in loop.stop() })

    try loop.run()
    let drained = link.drain { false }

    #expect(failures.count == 1)
    guard case .lost(let loss) = drained else {
      Issue.record("\(drained)")
      return
    }
    #expect("\(loss)".contains("writing the guest's console"))
  }

  @Test func aGuestThatHasEndedWithMoreThanItsRingsCanHaveIsCutOff() throws {
    let loop = try EventLoop()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let endpoint = try ConsoleEndpoint(.none, files: RunFiles(), logger: logger)
    let port = try FloodingPort()
    let link = try ConsoleLink(
      endpoint: endpoint,
      port: port,
      takesInput: true,
      loop: loop,
      logger: logger,
      stop: {},
      fail: { _ in }
    )

    let drained = link.drain { false }

    #expect(drained == .cutOff)
    #expect(port.taken <= 8 << 20)
  }
}
