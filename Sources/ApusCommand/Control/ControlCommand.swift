import ApusControl
import ArgumentParser
import Host

extension ApusCommand {
  struct ControlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "control",
      abstract: "Steer a running machine, or look into it.",
      discussion: """
        The machine was started with --control auto, and is named as 'apus list' shows it, or with --control PATH, and \
        is named by that path, which then has a '/' in it.

        Examples:
          apus control apus info
          apus control apus pause
          apus control apus memory.resize 2G
          apus control ./socket console.send data='ls' --json
          apus control apus snapshot frozen --log true
          apus control apus snapshot later --differential frozen
          apus control apus events.subscribe
          apus control schema

        Methods:
        \(ControlCatalogue.methods.map(usage).joined(separator: "\n"))

        Exit status:
          0   done, or the machine ended of whose subscription this was
          1   the machine refused
          64  bad usage
          69  there is no such machine, or it does not listen
          73  standard output cannot be written, or the folder of running machines cannot be used
          75  no answer came in time
        """
    )

    @Argument(
      help: "The machine's name or its socket's path; or 'schema', for all methods as an OpenRPC document.",
      completion: MachineNames.completion
    )
    var machine: String

    @Argument(
      help: ArgumentHelp("The method; info by default.", valueName: "method"),
      completion: .list(ControlCatalogue.methods.map(\.name))
    )
    var method: String?

    @Argument(
      parsing: .allUnrecognized,
      help: ArgumentHelp("The method's parameters, as NAME=VALUE or --NAME VALUE.", valueName: "parameter")
    )
    var words: [String] = []

    @Flag(help: "Print JSON.")
    var json = false

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "How long an answer may take, 10 s by default, 10 m for a snapshot: seconds, or with ms, s, m or h.",
        valueName: "time"
      ),
      transform: ControlCommand.limit
    )
    var timeout: Duration?

    private static let limit: @Sendable (String) throws -> Duration = { text in
      guard let limit = TimeLimit(text), limit.duration > .zero else {
        throw ValidationError(TimeLimit.form + ", and more than 0")
      }
      return limit.duration
    }

    private static func usage(_ method: ControlCatalogue.MethodDescription) -> String {
      let words = method.parameters.map { $0.isRequired ? $0.name + "=…" : "[\($0.name)=…]" }
      return "  \(([method.name] + words).joined(separator: " "))\n      \(method.summary)"
    }

    func validate() throws {
      guard machine != Control.Schema.name || method == nil else {
        throw ValidationError("'schema' takes no further word: it has all methods.")
      }
    }

    func run() throws {
      if machine == Control.Schema.name {
        return try Message.show(
          ControlWords.indented(ControlCatalogue.document).split(separator: "\n").map(String.init)
        )
      }
      try Message.reportingAny { try ask() }
    }

    private func ask() throws {
      let method = method ?? Control.Info.name
      guard let description = ControlCatalogue.methods.first(where: { $0.name == method }) else {
        throw ControlError(.methodNotFound, "there is no method '\(method)'; 'apus control --help' shows them all")
      }
      let parameters = try ControlWords.parameters(of: description, plainWords)
      let limit = timeout ?? (method == Control.Snapshot.name ? .seconds(600) : .seconds(10))
      let client = try ControlClient(machine, timeout: limit)
      let answer = try client.call(named: method, parameters)
      // Of a subscription's number a person has no use.
      if json || !description.isSubscription { try show(answer) }
      guard description.isSubscription else { return }
      // What was subscribed to need not tell of the end, which then could not be told from a lost connection.
      var ends = Control.EventsSubscribe.Parameters()
      ends.kinds = [.ended, .panic, .guestFault]
      try follow(client, ends: try client.call(Control.EventsSubscribe.self, ends).subscription)
    }

    /// The parameters, each as one word.
    private var plainWords: [String] {
      var plain: [String] = []
      var words = words[...]
      while let word = words.popFirst() {
        guard word.utf8.starts(with: "--".utf8) else {
          plain.append(word)
          continue
        }
        // What follows is no option, whatever it begins with.
        guard word != "--" else { return plain + words }
        let name = String(word.dropFirst(2))
        if name.utf8.contains(0x3D) {
          plain.append(name)
        } else if let next = words.first, !next.utf8.starts(with: "--".utf8) {
          plain.append("\(name)=\(next)")
          words.removeFirst()
        } else {
          plain.append("\(name)=true")
        }
      }
      return plain
    }

    /// How long something may still come behind the machine's end.
    private static let endPatience = Duration.seconds(1)

    /// Shows what comes, until the machine ends.
    ///
    /// - Parameter ends: the subscription that tells of ends, which is shown to nobody.
    private func follow(_ client: ControlClient, ends: UInt64) throws {
      var hasEnded = false
      while true {
        let next: ControlClient.Notice?
        do throws(ControlError) {
          next = try client.nextNotice(within: hasEnded ? Self.endPatience : nil)
        } catch {
          guard hasEnded else { throw error }
          return
        }
        guard let notice = next else {
          guard !hasEnded else { return }
          continue
        }
        hasEnded = hasEnded || notice.isEnd
        if notice.envelope.subscription != ends, try !show(notice) { return }
      }
    }

    private func show(_ answer: ControlJSON) throws {
      try write(json ? [answer.text] : ControlWords.lines(answer))
    }

    /// - Returns: false where nobody reads it any more.
    private func show(_ notice: ControlClient.Notice) throws -> Bool {
      let lost = notice.envelope.lost
      if lost > 0, !json { Message.say("\(lost) notices were lost: they were not read as fast as they came") }
      if json {
        return try write([notice.json.text])
      } else if let output = try notice.content(as: Control.ConsoleOutput.self) {
        return try StandardStreams.writeOutput(Array(output.data.utf8))
      } else if let event = try notice.content(as: Control.Event.self) {
        return try write(["\(event.kind.rawValue): \(event.message)"])
      } else {
        return try write([notice.json.text])
      }
    }

    @discardableResult
    private func write(_ lines: [String]) throws -> Bool {
      try StandardStreams.writeOutput(Array(lines.map { $0.plain + "\n" }.joined().utf8))
    }
  }
}

extension ControlError: CommandFailure {
  var exitStatus: Int32 {
    switch code {
    case .methodNotFound, .invalidParameters, .invalidRequest: 64
    case .disconnected: 69
    case .unusableFolder: FailureKind.cannotCreate.rawValue
    case .timedOut: 75
    default: 1
    }
  }
}
