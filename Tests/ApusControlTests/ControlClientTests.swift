import ApusControl
import ControlTesting
import Glibc
import Host
import Synchronization
import TestSupport
import Testing

/// What the client makes of a machine that answers as none should.
@Suite("Control client") struct ControlClientTests {
  /// The machine's end of a connection.
  private final class Machine: Sendable {
    let number: Int32
    let client: Int32

    init() {
      (client, number) = SocketPair.make()
      send(#"{"jsonrpc":"2.0","id":1,"result":{"version":1,"apus":"0"}}"#)
    }

    deinit { close(number) }

    /// - Returns: whether somebody takes it.
    @discardableResult
    func send(_ line: String) -> Bool {
      var rest = Array((line + "\n").utf8)[...]
      while !rest.isEmpty {
        guard let count = SocketPair.send(rest, to: number, waits: true) else { return false }
        rest = rest.dropFirst(count)
      }
      return true
    }

    /// Once.
    func connect(timeout: Duration = .seconds(60)) throws -> ControlClient {
      try ControlClient(connected: OwnedDescriptor(owning: client), timeout: timeout)
    }
  }

  private static func notice(_ subscription: Int, _ text: String) -> String {
    #"{"jsonrpc":"2.0","method":"console.output","params":{"subscription":\#(subscription),"lost":0,"data":"\#(text)"}}"#
  }

  @Test("An answer to something else is not taken for the one that is waited for")
  func otherIdentifiers() throws {
    let machine = Machine()
    let client = try machine.connect()
    for identifier in ["1", "3", "-2", "2.0", "\"2\"", "18446744073709551618", "true", "[2]"] {
      machine.send(#"{"jsonrpc":"2.0","id":\#(identifier),"result":{"state":"ended"}}"#)
    }
    machine.send(#"{"jsonrpc":"2.0","id":2,"result":{"state":"paused"}}"#)

    #expect(try client.call(Control.Pause.self).state == .paused)
  }

  @Test(
    "What is no answer ends a call with an error that says so",
    arguments: [
      ("{}", ControlError.Code.protocolViolation, "what came is neither an answer nor a notice"),
      ("[]", .protocolViolation, "what came is neither an answer nor a notice"),
      (#"{"id":null,"result":{}}"#, .protocolViolation, "what came is neither an answer nor a notice"),
      (#"{"id":2}"#, .protocolViolation, "an answer has neither a result nor an error"),
      (#"{"id":2,"error":{}}"#, .protocolViolation, "an error without a message"),
      (#"{"id":2,"error":{"code":-32000,"message":""}}"#, .refused, "an error without a message"),
      (#"{"id":null,"error":{"code":-32000,"message":"go away"}}"#, .refused, "go away"),
      ("nonsense", .protocolViolation, "what came is no JSON"),
    ]
  )
  func noAnswer(line: String, code: ControlError.Code, message: String) throws {
    let machine = Machine()
    let client = try machine.connect()
    machine.send(line)

    let error = #expect(throws: ControlError.self) { try client.call(Control.Pause.self) }

    #expect(error?.code == code && error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
  }

  @Test("What a machine says before it closes is told, and not that the connection was lost")
  func lastWord() throws {
    for isBegun in [false, true] {
      let (client, number) = SocketPair.make()
      func send(_ line: String) { _ = SocketPair.send(Array((line + "\n").utf8)[...], to: number) }
      if isBegun { send(#"{"jsonrpc":"2.0","id":1,"result":{"version":1,"apus":"0"}}"#) }
      send(Self.notice(1, "x"))
      send(#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"there are 128 clients already"}}"#)
      if !isBegun { close(number) }

      let error = #expect(throws: ControlError.self) {
        let client = try ControlClient(connected: OwnedDescriptor(owning: client), timeout: .seconds(60))
        close(number)
        _ = try client.call(Control.Pause.self)
      }

      #expect(error?.code == .refused && error?.message == "there are 128 clients already", "\(error?.message ?? "")")
    }
  }

  @Test("A machine that has closed without a word is lost")
  func noLastWord() {
    let (client, number) = SocketPair.make()
    close(number)

    let error = #expect(throws: ControlError.self) {
      try ControlClient(connected: OwnedDescriptor(owning: client), timeout: .seconds(60))
    }

    #expect(error?.code == .disconnected, "\(error?.message ?? "")")
  }

  @Test("A machine that sends notices or others' answers without end does not hold up a call beyond its time")
  func flood() throws {
    for line in [Self.notice(1, "x"), #"{"jsonrpc":"2.0","id":9,"result":{}}"#] {
      let machine = Machine()
      var client: ControlClient? = try machine.connect(timeout: .milliseconds(200))
      let lines = Array(repeating: line, count: 1000).joined(separator: "\n")
      let flooding = Thread { while machine.send(lines) {} }

      let error = #expect(throws: ControlError.self) { try client?.call(Control.Pause.self) }
      if line.contains("result") { #expect(try client?.nextNotice(within: .milliseconds(200)) == nil) }
      client = nil
      flooding.join()

      #expect(error?.code == .timedOut)
    }
  }

  @Test("Notices that come while an answer is waited for are kept up to 8 MiB, and what is lost is told")
  func manyNotices() throws {
    let machine = Machine()
    let client = try machine.connect()
    let text = String(repeating: "x", count: 10_000)
    let count = 1000
    let sending = Thread {
      for number in 0..<count { machine.send(Self.notice(number % 2, "\(number / 2) \(text)")) }
      machine.send(#"{"jsonrpc":"2.0","id":2,"result":{"state":"paused"}}"#)
    }

    _ = try client.call(Control.Pause.self)
    sending.join()
    var next: [UInt64: UInt64] = [:]
    var kept = 0
    while let notice = try client.nextNotice(within: .zero) {
      let envelope = notice.envelope
      let data = try notice.content(as: Control.ConsoleOutput.self)?.data ?? ""
      let number = data.split(separator: " ").first.flatMap { UInt64($0) }
      #expect(number == next[envelope.subscription, default: 0] + envelope.lost)
      #expect(notice.json.text.contains("\"lost\":\(envelope.lost),"))
      next[envelope.subscription] = (number ?? 0) + 1
      kept += 1
    }

    #expect(next == [0: 500, 1: 500])
    #expect(kept > 700 && kept < 839)
  }

  @Test("Notices that were read together with an answer are here, though nothing is to be read any more")
  func noticesBehindAnAnswer() throws {
    let machine = Machine()
    let client = try machine.connect()
    let answer = #"{"jsonrpc":"2.0","id":2,"result":{"state":"paused"}}"#
    machine.send([answer, Self.notice(1, "a"), Self.notice(1, "b")].joined(separator: "\n"))

    _ = try client.call(Control.Pause.self)
    var texts: [String] = []
    while client.hasNotice, let notice = try client.nextNotice(within: .zero) {
      texts.append(try notice.content(as: Control.ConsoleOutput.self)?.data ?? "")
    }

    #expect(texts == ["a", "b"])
    #expect(!client.hasNotice)
  }

  @Test("An answer whose lines would be far more than itself is printed as it is")
  func longLines() {
    let key = String(repeating: "k", count: 1 << 20)
    let many = Array(repeating: "[0]", count: 1 << 10).joined(separator: ",")
    let few = #"{"\#(key)":[[0],[1]]}"#
    let answer = ControlJSON(text: #"{"\#(key)":[\#(many)]}"#)

    #expect(ControlWords.lines(ControlJSON(text: few)).map(\.utf8.count) == [key.utf8.count + 5, key.utf8.count + 5])
    #expect(ControlWords.lines(answer) == [answer.text])
  }

  @Test("A machine that says it has more memory than there can be has the most there can be")
  func wholeMemory() {
    var info = Control.Info.Answer()
    var region = Control.MemoryRegion()
    info.memory = 1 << 30
    region.plugged = 1 << 20
    info.regions = [region, region]

    #expect(info.wholeMemory == 1 << 30 + 2 << 20)
    info.memory = .max
    #expect(info.wholeMemory == .max)
  }
}
