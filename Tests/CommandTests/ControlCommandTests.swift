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
    table.on(Control.Hello.self) { parameters, answer in
      guard (parameters.version ?? 1) == 1 else { return answer.fail(.unsupportedVersion, "that is not spoken here") }
      answer.succeed(.init())
    }
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
    table.on(Control.ConsoleSend.self) { parameters, answer in answer.fail(.refused, "'\(parameters.data)' was sent") }
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

  @Test(arguments: [["--", "--dash"], ["data=--dash"]])
  func whatFollowsTwoDashesIsNoOptionWhateverItBeginsWith(words: [String]) throws {
    let server = try serve { _, _ in }
    defer { server.end() }

    let result = try apus(["control", path, "console.send"] + words)

    #expect(result.error == "apus: error: '--dash' was sent\n")
    #expect(result.status == 1)
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

  @Test(arguments: [
    ["control", "hello"], ["control", "events.subscribe"], ["control", "console.subscribe"], ["console"],
  ])
  func anOutputThatCannotBeWrittenIsNoLostMachine(words: [String]) throws {
    let server = try serve { listeners, _ in
      // Base64, for the console.
      listeners.write("d29yZHMK")
      listeners.tellEnd(isLast: true)
    }
    defer { server.end() }

    let result = try apus([words[0], path] + words.dropFirst(), outputPath: "/dev/full")

    expectRefusal(result, status: 73, "cannot write standard output: No space left on device")
  }

  @Test(arguments: [["control", "events.subscribe"], ["control", "console.subscribe"], ["console"]])
  func whoseReaderHasGoneDoesNotWaitForTheMachine(words: [String]) throws {
    let server = try serve { listeners, _ in
      // Base64, for the console.
      listeners.write("d29yZHMK")
      listeners.tellEnd(isLast: false)
    }
    defer { server.end() }

    let result = try apusWithoutReader([words[0], path] + words.dropFirst())

    #expect(result.error == "0\n")
  }

  @Test func aVersionThatIsNotSpokenIsARefusalOfAMachineThatIsThere() throws {
    let server = try serve { _, _ in }
    defer { server.end() }

    let result = try apus(["control", path, "hello", "version=2"])

    expectRefusal(result, status: 1, "that is not spoken here")
  }

  @Test func aMachineThatTakesNoMoreClientsIsListedAndSaysSo() throws {
    let registered = try ControlListener(.registered, machine: "full", folder: folder.path("apus"))
    var limits = ControlServer.Limits()
    limits.clients = 0
    let server = try ControlServer(registered, { ControlTable() }, limits: limits) { _ in }
    defer { server.end() }

    let result = try shell(
      """
      export XDG_RUNTIME_DIR='\(folder.path)'
      apus list
      apus list --json | grep -e state -e reason
      apus control full; echo $?
      apus console full; echo $?
      """
    )

    #expect(
      result.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") } == [
        "MACHINE STATE UPTIME CPUS MEMORY PID", "full refuses: there are 0 clients already - - - -",
        #""reason" : "there are 0 clients already","#, #""state" : "refuses""#, "1", "1",
      ],
      "\(result.output)"
    )
    #expect(
      result.error == String(repeating: "apus: error: there are 0 clients already\n", count: 2),
      "\(result.error)"
    )
  }

  @Test func aFolderOfMachinesThatCannotBeUsedIsToldAndNotTakenForNone() throws {
    let result = try shell(
      """
      cd '\(folder.path)'
      mkdir good open other link foreign; mkdir -m 777 open/apus; touch file other/apus; ln -s /tmp link/apus
      mkdir -m 700 foreign/apus; chown 65534 foreign/apus 2>/dev/null || chmod 755 foreign/apus
      for place in good missing file open other link foreign; do
        export XDG_RUNTIME_DIR="$PWD/$place"
        echo "$place"
        for words in list 'list --json' 'list --names' 'control m' 'console m'; do
          apus $words >output; echo "$? $(wc -c <output)"
        done
      done
      """
    )

    let none = ["0 0", "0 5", "0 0", "69 0", "69 0"]
    let places = ["missing", "file", "open", "other", "link", "foreign"]
    let refused: [String] = places.flatMap { place in [place] + Array(repeating: "73 0", count: 5) }
    let expected: [String] = ["good"] + none + refused
    #expect(result.output.split(separator: "\n").map(String.init) == expected, "\(result.output)")
    let advices = result.error.split(separator: "\n").count { $0.contains("set XDG_RUNTIME_DIR") }
    #expect(advices == 5 * places.count, "\(result.error)")
  }

  @Test func theSchemaIsForNoMethodAlone() throws {
    expectRefusal(try apus(["control", "schema", "info"]), status: 64, "'schema' takes no further word")
    #expect(try apus(["control", "schema"]).output.hasPrefix("{"))
  }

  @Test(arguments: ["0", "0ms", "0.0", "-1", "x"])
  func aTimeInWhichNothingCanBeAnsweredIsBadUsage(time: String) throws {
    expectRefusal(
      try apus(["control", path, "--timeout", time]),
      status: 64,
      "such as 10, 1.5s or 2m, and more than 0"
    )
  }

  @Test func theLongestTimeIsOne() throws {
    let server = try serve { _, _ in }
    defer { server.end() }

    let result = try apus(["control", path, "hello", "--timeout", "2562047h"])

    #expect(result.status == 0, "\(result.error)")
    #expect(result.output.contains("version: 1"))
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
