import ApusControl
import Host
import Synchronization
import TestSupport
import Testing

/// How `apus control` ends whose method subscribes. The machine is a server with those methods alone.
@Suite(.timeLimit(.minutes(10))) struct ControlCommandTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path("socket") }

  init() throws {
    folder = try TemporaryFolder()
  }

  /// Those who hear of the machine.
  private final class Listeners: Sendable {
    let events = Mutex<[ControlSubscription]>([])
    let console = Mutex<[ControlSubscription]>([])

    /// All are told of an end.
    func tellEnd(isLast: Bool) {
      var content = Control.Event.Content()
      content.kind = .ended
      content.message = "the guest powered off"
      content.outcome = "powered-off"
      content.isLast = isLast
      for subscription in events.withLock({ $0 }) { subscription.tell(Control.Event.self, content) }
    }

    func write(_ text: String) {
      var content = Control.ConsoleOutput.Content()
      content.data = text
      for subscription in console.withLock({ $0 }) { subscription.tell(Control.ConsoleOutput.self, content) }
    }
  }

  /// - Parameter onEvents: called when a client has subscribed to events, with how many subscriptions there are.
  private func serve(_ onEvents: @escaping @Sendable (Listeners, Int) -> Void) throws -> ControlServer {
    let listeners = Listeners()
    var table = ControlTable()
    table.on(Control.Hello.self) { _, answer in answer.succeed(.init()) }
    table.on(Control.ConsoleSubscribe.self) { _, answer in
      let subscription = answer.subscribe {}
      answer.succeed(.init(subscription.number))
      listeners.console.withLock { $0.append(subscription) }
    }
    table.on(Control.EventsSubscribe.self) { _, answer in
      let subscription = answer.subscribe {}
      answer.succeed(.init(subscription.number))
      let count = listeners.events.withLock { events in
        events.append(subscription)
        return events.count
      }
      onEvents(listeners, count)
    }
    let listener = try ControlListener(.path(path), machine: "test", folder: folder.path("machines"))
    return try ControlServer(listener, { [table] in table }) { _ in }
  }

  @Test func whoHearsOfTheConsoleAloneEndsWithSuccessWhenTheMachineEnds() throws {
    let server = try serve { listeners, _ in
      listeners.tellEnd(isLast: false)
      listeners.write("last words\n")
      listeners.tellEnd(isLast: true)
    }
    defer { server.end() }

    let result = try apus(["control", path, "console.subscribe"])

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == "last words\n")
    #expect(result.error.isEmpty, "\(result.error)")
  }

  @Test func whoHearsOfTheEndAnywayIsShownItOnce() throws {
    let server = try serve { listeners, count in
      if count == 2 { listeners.tellEnd(isLast: true) }
    }
    defer { server.end() }

    let result = try apus(["control", path, "events.subscribe"])

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output == "ended: the guest powered off\n")
  }

  @Test func aConnectionThatIsLostWithoutAnEndIsNoSuccessAndSaysWhatToDo() throws {
    let isHeard = SharedEventDescriptor(try EventDescriptor())
    let server = try serve { _, _ in isHeard.value.signal() }
    let thread = try HostThread(name: "end") {
      isHeard.value.wait()
      server.end()
    }

    let result = try apus(["control", path, "console.subscribe"])

    thread.join()
    expectRefusal(result, status: 69, "the machine has ended, or has dropped the connection", "'apus list' shows")
  }
}
