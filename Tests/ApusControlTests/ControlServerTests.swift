import ApusControl
import Glibc
import Host
import Synchronization
import TestSupport
import Testing

/// What clients do to the server and to each other.
@Suite("Control server", .serialized) struct ControlServerTests {
  private static let echo = #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"a"}}"#
  private static let answer = #"{"jsonrpc":"2.0","id":1,"result":{"text":"a"}}"#
  private static let later = #"{"jsonrpc":"2.0","id":1,"method":"test.later"}"#
  private static let subscribe = #"{"jsonrpc":"2.0","id":1,"method":"test.subscribe"}"#

  /// Bytes that the process has in memory now.
  private var residentMemory: UInt64 {
    let words = HostFiles.text("/proc/self/statm").split(separator: " ")
    return (UInt64(words[1]) ?? 0) * UInt64(sysconf(Int32(_SC_PAGESIZE)))
  }

  @Test("A line of 1 MiB is taken; a longer one ends its connection after an error that says so")
  func longLines() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    let space = String(repeating: " ", count: ControlProtocol.maximumLine - Self.echo.utf8.count)

    #expect(try client.ask(space + Self.echo) == Self.answer)
    // It may be refused before all of it is sent.
    client.send(space + " " + Self.echo)
    let refusal = try client.line()

    #expect(refusal?.contains("-32600") == true)
    #expect(refusal?.contains("a line has more than 1048576 bytes") == true)
    #expect(try client.line() == nil)
    #expect(becomesTrue { service.lines.contains { $0.contains("was dropped: a line has more") } })
    #expect(try RawClient(service.path).ask(Self.echo) == Self.answer)
  }

  @Test("A line that does not end is refused while it comes, and takes no memory")
  func endlessLine() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    let before = residentMemory
    let piece = [UInt8](repeating: 0x61, count: 1 << 20)

    var sent = 0
    // A gigabyte, of which no more is taken than a line has at most and what is on the way.
    for _ in 0..<1024 {
      let count = client.send(piece)
      sent += count
      if count < piece.count { break }
    }

    #expect(sent < 4 << 20)
    #expect(try client.line()?.contains("more than 1048576 bytes") == true)
    #expect(residentMemory < before + 32 << 20)
  }

  @Test("Two clients at once get their own answers")
  func twoClients() throws {
    let service = try ControlService()
    let one = try RawClient(service.path)
    let other = try RawClient(service.path)

    one.send(Self.later)
    #expect(becomesTrue { service.waiting == 1 })
    #expect(try other.ask(Self.echo) == Self.answer)
    // Answers come as they are ready, not as they were asked for.
    #expect(try one.ask(Self.echo.replacing("\"id\":1", with: "\"id\":2"))?.contains("\"id\":2") == true)
    service.answerAll()
    #expect(try one.line() == #"{"jsonrpc":"2.0","id":1,"result":{}}"#)
  }

  @Test("128 clients are served at once, and one more is told why not, until one goes")
  func manyClients() throws {
    let service = try ControlService()
    var clients: [RawClient] = []
    for _ in 0..<128 { clients.append(try RawClient(service.path)) }
    for client in clients { client.send(Self.echo) }
    for client in clients { #expect(try client.line() == Self.answer) }

    let tooMany = try RawClient(service.path)

    #expect(try tooMany.line()?.contains("there are 128 clients already") == true)
    #expect(try tooMany.line() == nil)
    clients.removeLast()
    #expect(try becomesTrue { try RawClient(service.path).ask(Self.echo) == Self.answer })
  }

  @Test("Clients that go in the middle of a line, of a request or of an answer harm nobody")
  func goneClients() throws {
    let service = try ControlService()
    for cut in stride(from: 1, to: Self.echo.utf8.count, by: 7) {
      let client = try RawClient(service.path)
      client.send(Array(Self.echo.utf8.prefix(cut)))
    }
    for _ in 0..<20 {
      let client = try RawClient(service.path)
      client.send(Self.subscribe)
      client.send(Self.later)
    }

    #expect(becomesTrue { service.waiting == 20 && service.endedSubscriptions == 20 })
    service.tell("nobody hears it")
    service.answerAll()

    #expect(try RawClient(service.path).ask(Self.echo) == Self.answer)
  }

  @Test("A client that has gone with as much under way as it may have is let go before that is answered")
  func goneBusyClient() throws {
    let service = try ControlService()
    do {
      let client = try RawClient(service.path)
      client.send(Self.subscribe)
      for _ in 0..<200 { client.send(Self.later) }
      #expect(becomesTrue { service.waiting == 64 })
    }

    #expect(becomesTrue { service.endedSubscriptions == 1 })
    service.answerAll()
    #expect(try RawClient(service.path).ask(Self.echo) == Self.answer)
    #expect(service.waiting == 0)
  }

  @Test("Who ends its requests gets all answers, also that to a last line without an end, and then the end")
  func halfClosed() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    for _ in 0..<100 { client.send(Self.later) }
    client.send(Array(Self.echo.utf8))
    client.endInput()

    var answers: [String] = []
    #expect(becomesTrue { service.waiting == 64 })
    while answers.count < 101 {
      service.answerAll()
      guard let answer = try client.line() else { break }
      answers.append(answer)
    }

    #expect(answers.count == 101 && answers.contains(Self.answer))
    #expect(try client.line() == nil)
  }

  @Test("Who ends its requests with a subscription goes on to hear")
  func halfClosedSubscription() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)

    #expect(try client.ask(Self.subscribe)?.contains("\"subscription\":1") == true)
    client.endInput()
    #expect(becomesTrue { service.subscriptionCount == 1 })
    service.tell("still here")

    #expect(
      try client.line()
        == #"{"jsonrpc":"2.0","method":"console.output","params":{"subscription":1,"lost":0,"data":"still here"}}"#
    )
    service.end()
    #expect(try client.line() == nil)
    #expect(service.endedSubscriptions == 1)
  }

  @Test("A client that does not read is dropped after the patience, and holds up nobody")
  func deafClient() throws {
    var limits = ControlServer.Limits()
    limits.patience = 300_000_000
    let service = try ControlService(limits)
    let deaf = try RawClient(service.path)
    let other = try RawClient(service.path)
    let text = String(repeating: "x", count: 8000)
    // More than sockets hold, so that the client does not get rid of all of it either.
    let box = Unshared(deaf)
    let flooding = Thread {
      let line = Self.echo.replacing("\"a\"", with: "\"\(text)\"")
      while box.value.send(line) == line.utf8.count + 1 {}
    }

    while !service.lines.contains(where: { $0.contains("it has read nothing for 0.3 seconds") }) {
      guard try other.ask(Self.echo) == Self.answer else { break }
      usleep(10_000)
    }
    flooding.join()

    #expect(service.lines == ["a client of the control socket was dropped: it has read nothing for 0.3 seconds"])
    #expect(try other.ask(Self.echo) == Self.answer)
  }

  @Test("A subscription that is not read loses notices, and says how many, in order")
  func losses() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    _ = try client.ask(Self.subscribe)
    let text = String(repeating: "x", count: 1000)

    #expect(becomesTrue { service.subscriptionCount == 1 })
    let count = 5000
    for number in 0..<count { service.tell("\(number) \(text)") }
    var next = 0
    var lost = 0
    while next < count {
      // Until the client has read something nothing comes behind what was lost: the last one tells it.
      guard client.hasLine || isReadable(client.number, within: 500) else {
        service.tell("\(count) ")
        guard let line = try client.line(), let notice = Notice(line) else { break }
        lost += notice.lost
        #expect(next + notice.lost == count)
        break
      }
      guard let line = try client.line(), let notice = Notice(line) else { break }
      lost += notice.lost
      #expect(notice.number == next + notice.lost)
      next = notice.number + 1
    }
    let ended = try client.ask(#"{"jsonrpc":"2.0","id":5,"method":"unsubscribe","params":{"subscription":1}}"#)

    #expect(lost > 0)
    #expect(ended == #"{"jsonrpc":"2.0","id":5,"result":{"lost":\#(lost)}}"#)
    #expect(service.endedSubscriptions == 1)
  }

  private struct Notice {
    let lost: Int
    let number: Int

    init?(_ line: String) {
      guard case .object(let parameters)? = jsonObject(line)?["params"], case .number(let lost)? = parameters["lost"],
        case .text(let data)? = parameters["data"], let number = data.split(separator: " ").first.flatMap({ Int($0) })
      else { return nil }
      self.lost = Int(lost)
      self.number = number
    }
  }

  @Test("A notice that is longer than what may wait comes where nothing waits")
  func longNotice() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    _ = try client.ask(Self.subscribe)
    #expect(becomesTrue { service.subscriptionCount == 1 })

    service.tell(String(repeating: "\u{1b}", count: 64 << 10))

    #expect(try client.line()?.utf8.count ?? 0 > 6 * 64 << 10)
  }

  @Test("A client that does not wait gets what is there, and hears of the end")
  func noWaiting() throws {
    let service = try ControlService()
    let client = try ControlClient(service.path)
    _ = try client.call(Test.Subscribe.self)
    #expect(try becomesTrue { service.subscriptionCount == 1 } && client.nextNotice(within: .zero) == nil)

    service.tell("there")
    #expect(isReadable(client.descriptor, within: 10_000))
    let notice = try client.nextNotice(within: .zero)
    service.end()

    #expect(try notice?.content(as: Control.ConsoleOutput.self)?.data == "there")
    #expect(isReadable(client.descriptor, within: 10_000))
    #expect(throws: ControlError.self) { try client.nextNotice(within: .zero) }
  }

  @Test("A connection has 16 subscriptions at most")
  func manySubscriptions() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    for _ in 0..<16 { #expect(try client.ask(Self.subscribe)?.contains("\"result\"") == true) }

    #expect(try client.ask(Self.subscribe)?.contains("this connection has 16 subscriptions already; end one") == true)
    _ = try client.ask(#"{"jsonrpc":"2.0","id":5,"method":"unsubscribe","params":{"subscription":3}}"#)
    #expect(try client.ask(Self.subscribe)?.contains("\"result\"") == true)
  }

  @Test("The end with requests open and clients that do not read takes no longer than its patience")
  func endOfServer() throws {
    let service = try ControlService()
    var deaf: [RawClient] = []
    let text = String(repeating: "x", count: 1000)
    for _ in 0..<50 {
      let client = try RawClient(service.path)
      _ = try client.ask(Self.subscribe)
      deaf.append(client)
    }
    let waiting = try RawClient(service.path)
    waiting.send(Self.later)
    #expect(becomesTrue { service.waiting == 1 && service.subscriptionCount == 50 })
    for _ in 0..<2000 { service.tell(text) }
    let start = HostClock.monotonic

    service.end()

    // Fifty times the patience would be ten seconds.
    #expect(HostClock.monotonic - start < 5_000_000_000)
    #expect(try waiting.line() == nil)
    #expect(service.endedSubscriptions == 50)
    // Who answers too late does no harm.
    service.answerAll()
    #expect(HostFiles.names(in: service.folder.path) == ["machines"])
  }

  @Test("Names, and answers that wait, are given while other threads tell: nothing is lost or mixed")
  func manyThreads() throws {
    let service = try ControlService()
    let clients = try (0..<4).map { _ in try ControlClient(service.path) }
    _ = try clients[0].call(Test.Subscribe.self)
    #expect(becomesTrue { service.subscriptionCount == 1 })
    let rounds = Effort.cases(2000)
    let teller = Thread { for number in 0..<rounds { service.tell("\(number)") } }
    let others = clients.dropFirst().enumerated().map { place, client in
      let box = Unshared(client)
      return Thread {
        for round in 0..<rounds {
          var parameters = Test.Parameters()
          parameters.text = "\(place) \(round)"
          guard (try? box.value.call(Test.Echo.self, parameters).text) == parameters.text else {
            Issue.record("client \(place) got another answer in round \(round)")
            return
          }
        }
      }
    }
    var seen: UInt64 = 0
    while seen < rounds {
      guard let notice = try clients[0].nextNotice(within: .seconds(60)) else { break }
      seen += 1 + notice.envelope.lost
    }
    teller.join()
    for other in others { other.join() }
    #expect(seen == rounds)
  }
}

/// For one thread that has it alone.
private struct Unshared<Value>: @unchecked Sendable {
  // SAFETY: @unchecked: the maker lets go of the value.
  let value: Value

  init(_ value: Value) { self.value = value }
}

/// A thread to wait for.
struct Thread {
  private let thread: HostThread

  init(_ body: @escaping @Sendable () -> Void) {
    do {
      thread = try HostThread(name: "test", body)
    } catch {
      fatalError("no thread: \(error)")
    }
  }

  func join() { thread.join() }
}
