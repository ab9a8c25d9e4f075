internal import ApusControl
internal import Glibc
internal import Host
internal import PositionedJSON

/// Gives the typed client any bytes, as a machine's that means no good: each call has to return or to throw.
///
/// The first byte says whether the greeting is answered rightly, and whether the machine ends the connection; the
/// second with which method the calls begin. A ``Script`` follows, whose acts are ignored.
public enum ExerciseControlClient {
  // Typed throws of closures in a table are more than the compiler takes.
  private typealias Call = @Sendable (ControlClient) throws -> Void

  /// - Returns: how many calls had an answer.
  @discardableResult
  public static func run(_ bytes: some Collection<UInt8>) -> Int {
    let header = bytes.first ?? 0
    var sent: [UInt8] =
      header & 1 == 0 ? [] : Array(#"{"jsonrpc":"2.0","id":1,"result":{"version":1,"apus":"0"}}"#.utf8) + [0x0A]
    for step in Script(bytes.dropFirst(2)) { if case .send(let bytes) = step { sent += bytes } }
    // What does not fit on the way is sent meanwhile; then there has to be an end to wait for.
    let isLarge = sent.count > 64 << 10
    let ends = isLarge || header & 2 == 0
    let (one, other) = SocketPair.make()
    if !isLarge { precondition(SocketPair.send(sent[...], to: other) == sent.count, "it fits on the way") }
    var sender: HostThread?
    if isLarge {
      sender = try? HostThread(name: "peer") { [sent] in
        var rest = sent[...]
        while !rest.isEmpty, let count = SocketPair.send(rest, to: other, waits: true) { rest = rest.dropFirst(count) }
        shutdown(other, Int32(SHUT_WR))
      }
      precondition(sender != nil, "there is a thread")
    } else if ends {
      shutdown(other, Int32(SHUT_WR))
    }
    let answers = call(one, timeout: ends ? .seconds(50) : .zero, Int(bytes.dropFirst().first ?? 0))
    sender?.join()
    close(other)
    return answers
  }

  private static func call(_ number: Int32, timeout: Duration, _ first: Int) -> Int {
    guard let client = try? ControlClient(connected: OwnedDescriptor(owning: number), timeout: timeout) else {
      return 0
    }
    var answers = 0
    var failures = 0
    for number in 0..<40 {
      do {
        try calls[(first + number) % calls.count](client)
        answers += 1
      } catch {
        guard let error = error as? ControlError else { preconditionFailure("an error is of the socket's kind") }
        precondition(!error.message.isEmpty, "an error says what is wrong")
        failures += 1
        if error.code == .disconnected || failures > 4 { break }
      }
    }
    while let notice = (try? client.nextNotice(within: .zero)) ?? nil { look(at: notice) }
    return answers
  }

  private static func look(at notice: ControlClient.Notice) {
    _ = try? notice.content(as: Control.ConsoleOutput.self)
    _ = try? notice.content(as: Control.Event.self)
    _ = try? notice.content(as: Control.SCMITranscript.self)
    _ = notice.isEnd
    _ = notice.envelope
    look(at: notice.json)
  }

  /// JSON that is handed on is JSON, and has nothing that a terminal acts upon.
  private static func look(at json: ControlJSON) {
    precondition(json.text.plain == json.text, "JSON is escaped")
    ExerciseControlWords.show(json)
  }

  private static func typed<Method: ControlMethod>(_ method: Method.Type) -> Call {
    { client in _ = try client.call(method) }
  }

  /// In the catalogue's order.
  private static let calls: [Call] = [
    typed(Control.Hello.self), typed(Control.Info.self), typed(Control.Statistics.self), typed(Control.Schema.self),
    typed(Control.Pause.self), typed(Control.Resume.self), typed(Control.Reset.self), typed(Control.PowerButton.self),
    typed(Control.PowerOff.self), typed(Control.Kill.self), typed(Control.Snapshot.self), typed(Control.Memory.self),
    typed(Control.MemoryResize.self), typed(Control.ConsoleSubscribe.self), typed(Control.ConsoleSend.self),
    typed(Control.EventsSubscribe.self), typed(Control.Unsubscribe.self), typed(Control.NetworkLink.self),
    typed(Control.DiskResize.self), typed(Control.DiskChange.self), typed(Control.SCMIAgents.self),
    typed(Control.SCMIResources.self), typed(Control.SCMIRead.self), typed(Control.SCMISet.self),
    typed(Control.SCMIVoteFor.self), typed(Control.SCMIPermit.self), typed(Control.SCMIRules.self),
    typed(Control.SCMIRuleAdd.self), typed(Control.SCMIRuleRemove.self), typed(Control.SCMIStep.self),
    typed(Control.SCMITranscriptSubscribe.self),
    { look(at: try $0.call(named: "anything", ControlJSON(text: "{}"))) },
  ]
}
