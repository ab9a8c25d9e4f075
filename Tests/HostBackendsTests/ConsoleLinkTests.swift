import CHost
import Glibc
import Host
import Logging
import TestSupport
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

  /// - Parameter age: of the link, in seconds.
  private func isInUse(linkTo target: String, age: Int = 0) throws -> Bool {
    let folder = try TemporaryFolder()
    let path = folder.path("console")
    // SAFETY: the texts and the times hold for the calls.
    try #require(unsafe symlink(target, path) == 0)
    let times = [timespec(tv_sec: time(nil) - age, tv_nsec: 0), timespec(tv_sec: time(nil) - age, tv_nsec: 0)]
    if age > 0 { try #require(unsafe utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0) }
    return ConsoleEndpoint.problem(ofLink: path) != nil
  }

  @Test func aLinkToATerminalThatIsNewerThanItWasLeftByAKilledMachine() throws {
    var name = [CChar](repeating: 0, count: 128)
    // SAFETY: the buffer holds for the call and its size goes along.
    let terminal = unsafe chost_pseudo_terminal_open(&name, name.count)
    try #require(terminal >= 0)
    defer { close(terminal) }
    let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)

    #expect(try isInUse(linkTo: path))
    #expect(try !isInUse(linkTo: path, age: 60))
    #expect(try isInUse(linkTo: "/dev/null", age: 60))
    #expect(try !isInUse(linkTo: "/dev/pts/none"))
  }
}
