import Apus
import ArgumentParser
import CPlatformSchema
import Host
import SCMI
import SCMIFile

/// What can be done with platform files and transcripts without a machine of Apus's own.
struct SCMICommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scmi",
    abstract: "Check and serve SCMI platform files; read and replay transcripts.",
    discussion: """
      Examples:
        apus scmi schema > platform.schema.json
        apus scmi check platform.json
        apus run --kernel Image --scmi platform.json --scmi-transcript session.jsonl
        apus scmi decode session.jsonl
        apus scmi replay session.jsonl --platform platform.json
        apus scmi serve --socket scmi.sock platform.json

      Documentation/SCMIPlatformFile.md explains platform files.
      """,
    subcommands: [Schema.self, Check.self, Decode.self, Replay.self, Serve.self]
  )
}

extension SCMICommand {
  struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print the JSON schema of platform files.",
      discussion: """
        Examples:
          apus scmi schema > platform.schema.json
          apus scmi schema | jq '.["$defs"].clock.properties | keys'

        An editor that knows JSON Schema (2020-12) completes and checks a file that begins with
          {"$schema": "platform.schema.json",
        `apus scmi check` checks more: references, order and bounds.
        """
    )

    func run() throws {
      // SAFETY: the text is the program's own and ends with a zero.
      let text = unsafe String(cString: platform_schema())
      try Message.show(text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init))
    }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a platform file.",
      discussion: """
        Examples:
          apus scmi check platform.json
          apus scmi check --for linux-6.12 platform.json

        Each mistake is told with line, column, path and what was expected. What is no mistake and has no effect is \
        warned of, and with --for what that guest cannot take.

        Exit status: 0 if there is no mistake, 65 if there are some, 66 if the file cannot be read.
        """
    )

    @Option(
      name: .customLong("for"),
      help: ArgumentHelp("Warn of what a guest cannot take: linux-6.12.", valueName: "guest"),
      transform: { text in
        guard let guest = GuestSystem(rawValue: text) else {
          let known = GuestSystem.allCases.map(\.rawValue).joined(separator: ", ")
          throw ValidationError("expected one of \(known)")
        }
        return guest
      }
    )
    var guest: GuestSystem?

    @Argument(help: "The platform file; - is standard input.")
    var file: String

    func run() throws {
      let (platform, warnings, omitted) = try PlatformText.check(file, for: guest)
      for warning in warnings { Message.say("warning: \(file):\(warning)") }
      if omitted > 0 { Message.say("warning: \(file): \(omitted) more warnings are not told") }
      let resources = ResourceKind.allCases.map { ($0.name, platform.names($0).count) }.filter { $0.1 > 0 }
      let counts = resources.map { "\($0.1) \($0.0)" } + ["\(platform.agents.count) agents"]
      try Message.show("\(file): \(counts.joined(separator: ", "))")
    }
  }

  struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a transcript, or the bytes of messages, readably.",
      discussion: """
        Examples:
          apus scmi decode session.jsonl
          apus scmi decode --picture session.jsonl
          apus scmi decode --follow session.jsonl
          apus scmi decode --hex '06500000 00000000'
          apus scmi decode --hex --reply '06500000 00000000 00e1f505 00000000'

        Without --hex the argument is a transcript's path, or - for standard input. With --follow what is appended to \
        it is printed as it comes, until Ctrl-C. The picture has a column for \
        each agent, and these arrows:
          -->  request
          <--  reply
          <==  delayed response
          <~~  notification
          x--  reply that was not sent

        Exit status: 0; 65 for what is neither a transcript nor a message; 66 for a file that cannot be read.
        """
    )

    @Flag(help: "Draw who said what when.")
    var picture = false

    @Flag(help: "Go on with what is appended, until Ctrl-C.")
    var follow = false

    @Flag(help: "The arguments are messages: header and payload in hexadecimal digits, as they are in memory.")
    var hex = false

    @Flag(help: "The messages of --hex are replies, not requests.")
    var reply = false

    @Argument(help: "A transcript, or with --hex messages.")
    var inputs: [String]

    func validate() throws {
      if inputs.count != 1, !hex { throw ValidationError("Give one transcript, or messages with --hex.") }
      if reply, !hex { throw ValidationError("--reply goes with --hex.") }
      if picture, hex { throw ValidationError("--picture goes with a transcript.") }
      if follow, hex || picture { throw ValidationError("--follow goes with a transcript and without --picture.") }
    }

    func run() throws {
      if hex {
        for message in inputs {
          guard let text = MessageDecoder.decoded(hexadecimal: message, isRequest: !reply) else {
            throw BadText.said("'\(message)' is no message: give 4 to 132 bytes in hexadecimal digits")
          }
          try Message.show(text)
        }
      } else if follow {
        var follower = TranscriptFollower(inputs[0])
        try follower.run()
      } else {
        let (records, mistake) = try TranscriptText.records(inputs[0])
        var lines = TranscriptLines()
        try TranscriptOutput.show(inputs[0], records, mistake) { records in
          picture ? SessionPicture.lines(records) : lines.lines(records)
        }
      }
    }
  }

  struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Send a recorded session to a platform and compare what it says.",
      discussion: """
        Examples:
          apus scmi replay session.jsonl --platform platform.json

        Times, agents and bytes are compared. Values that came from outside (sensors bound to the host, changes by the \
        machine's owner) are not in a transcript.

        Exit status: 0 if all is the same, 1 if something differs, 65 or 66 for files that cannot be used.
        """
    )

    @Argument(help: "The transcript; - is standard input.")
    var transcript: String

    @Option(help: ArgumentHelp("The platform file that was recorded.", valueName: "path"))
    var platform: String

    func run() throws {
      let definition = try PlatformText.read(platform)
      let records = try TranscriptText.read(transcript)
      let report: SCMIFile.Replay.Report
      do {
        var platform = try SCMIPlatform(definition)
        report = SCMIFile.Replay.run(records, on: &platform)
      } catch {
        throw BadText.said("\(platform): \(error)")
      }
      try Message.show(report.differences.map { "\($0)" })
      try Message.show(
        "\(report.requests) requests, \(report.compared) lines compared, \(report.differences.count) differ"
          + (report.skipped == 0 ? "" : ", \(report.skipped) changes by the owner left out")
          + (report.missedSamples == 0 ? "" : ", \(report.missedSamples) samples left out")
      )
      if !report.differences.isEmpty { throw ExitCode(1) }
    }
  }
}

/// A text that is not what it should be.
enum BadText {
  /// Says what is wrong.
  ///
  /// - Returns: the exit status to end with.
  static func said(_ messages: String...) -> ExitCode { said(messages) }

  static func said(_ messages: [String]) -> ExitCode {
    for message in messages { Message.say("error: \(message)") }
    return ExitCode(Outcome.End.badInput.exitStatus)
  }
}

/// What is shown of a transcript.
enum TranscriptOutput {
  /// Shows what `text` makes of the lines, and tells the mistake behind them.
  ///
  /// - Throws: the exit status after a mistake.
  static func show<Line>(
    _ path: String,
    _ lines: [Line],
    _ mistake: (any Error)?,
    _ text: ([Line]) -> [String]
  ) throws {
    guard let mistake else {
      if lines.isEmpty { Message.say("warning: \(path): there is no line in it") }
      return try Message.show(text(lines))
    }
    if !lines.isEmpty { try Message.show(text(lines)) }
    throw BadText.said("\(path): \(mistake)")
  }
}

private enum PlatformText {
  static func read(_ path: String) throws -> PlatformDefinition {
    let bytes = try Message.reporting { () throws(InputFileError) in try InputFile.read(path) }
    do {
      return try PlatformDefinition(json: bytes)
    } catch {
      throw BadText.said(error.messages(for: path))
    }
  }

  static func check(
    _ path: String,
    for guest: GuestSystem?
  ) throws -> (definition: PlatformDefinition, warnings: [PlatformFileError.Mistake], omitted: Int) {
    let bytes = try Message.reporting { () throws(InputFileError) in try InputFile.read(path) }
    do {
      return try PlatformDefinition.checking(json: bytes, for: guest)
    } catch {
      throw BadText.said(error.messages(for: path))
    }
  }
}

private enum TranscriptText {
  static func read(_ path: String) throws -> [TranscriptRecord] {
    let (records, mistake) = try records(path)
    if let mistake { throw BadText.said("\(path): \(mistake)") }
    return records
  }

  /// The records before the first mistake, and that.
  static func records(_ path: String) throws -> ([TranscriptRecord], TranscriptError?) {
    let bytes = try Message.reporting { () throws(InputFileError) in try InputFile.read(path) }
    do throws(TranscriptError) {
      return (try TranscriptRecord.records(lines: String(decoding: bytes, as: UTF8.self)), nil)
    } catch {
      return (error.before, error)
    }
  }
}
