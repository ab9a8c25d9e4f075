import Glibc
import Logging
import Testing

@testable import Apus

/// A console with one line to show.
private final class LinePort: GuestConsole {
  private let output: Bell
  private let room: Bell
  private let taken: Bell
  private var line: [UInt8] = Array("line\n".utf8)

  /// - Parameter taken: rung when the line has been taken.
  init(taken: Bell) throws {
    output = try Bell()
    room = try Bell()
    self.taken = taken
    output.doorbell.ring()
  }

  var outputDescriptor: Int32 { output.doorbell.rawValue }
  func answerOutput() { output.doorbell.answer() }
  func armOutput(after _: UInt64) {}
  var inputRoomDescriptor: Int32 { room.doorbell.rawValue }
  func answerInputRoom() { room.doorbell.answer() }
  var ringInputRoom: @Sendable () -> Void { {} }
  func takeOutput(limit: Int) -> [UInt8] {
    defer { line = [] }
    if !line.isEmpty { taken.doorbell.ring() }
    return line
  }
  func inputSpace() -> Int { 0 }
  func receive(_: ArraySlice<UInt8>) {}
}

@Suite(.timeLimit(.minutes(1))) struct ConsoleLinkTests {
  @Test func outputThatWasLostAfterTheGuestPoweredOffIsToldAtTheEnd() throws {
    let loop = try EventLoop()
    let verdict = try Verdict()
    let taken = try Bell()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let endpoint = try ConsoleEndpoint(.file(path: "/dev/full"), stream: ConsoleStream(), logger: logger)
    let port = try LinePort(taken: taken)
    let link = try ConsoleLink(
      endpoint: endpoint,
      port: port,
      takesInput: true,
      loop: loop,
      verdict: verdict,
      logger: logger
    )
    _ = try loop.add(taken.doorbell.rawValue, EventLoop.readable, ClosureHandler { _ in loop.stop() })

    verdict.give(Outcome(.poweredOff, "off"))
    try loop.run()
    let loss = link.drain(limit: nil) { false }

    #expect(verdict.given?.end == .poweredOff)
    #expect(loss?.end == .hostFailure)
    #expect(loss?.message.contains("writing the guest's console") == true)
  }
}
