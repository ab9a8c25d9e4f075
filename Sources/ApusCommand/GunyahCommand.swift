import ArgumentParser
import CHost
import Glibc
import Gunyah
import GunyahFile
import Host

/// What can be done with transcripts of Gunyah's machines.
struct GunyahCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gunyah",
    abstract: "Read transcripts of Gunyah's calls and of its resource manager's messages.",
    discussion: """
      Examples:
        apus run --kernel Image --personality gunyah --gunyah-transcript session.jsonl
        apus gunyah decode session.jsonl
        apus gunyah picture session.jsonl

      Documentation/Gunyah.md explains transcripts.
      """,
    subcommands: [Decode.self, Picture.self]
  )
}

extension GunyahCommand {
  struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a transcript readably.",
      discussion: """
        Examples:
          apus gunyah decode session.jsonl
          apus gunyah decode --only rpc --machine primary session.jsonl
          apus gunyah decode --json --only calls session.jsonl | jq -r .name | sort | uniq -c

        A line has the time in microseconds, the machine, the vCPU, and what happened: a call with its arguments and \
        what it came to; or a message of the resource manager's:
          ->  request
          <-  reply
          <~  notification

        Exit status: 0; 65 for what is no transcript, whose lines before the mistake are shown, or has no such \
        machine; 66 for a file that cannot be read.
        """
    )

    @Flag(help: "Print the lines as JSON, as they are in a transcript.")
    var json = false

    @OptionGroup var selection: Selection

    func run() throws {
      try selection.show { lines, isChosen in
        json ? lines.filter(isChosen).map(\.json) : GunyahLine.text(lines, where: isChosen)
      }
    }
  }

  struct Picture: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Draw who asked whom.",
      discussion: """
        Examples:
          apus gunyah picture session.jsonl
          apus gunyah picture --only rpc --width 120 session.jsonl

        Each machine has a column, and the resource manager, with these arrows:
          --->  request or reply of the manager's
          ~~~>  notification
          ===>  call that reaches another machine: a message, a doorbell, a vCPU that runs
          ...>  message or doorbell that is taken
          ---x  what was refused
          *     call that is the machine's own, or x where it was refused
        What a machine sends to the manager and fetches from it is drawn as messages alone. What comes again and again \
        is drawn once and counted.

        Exit status: 0; 65 for what is no transcript, whose lines before the mistake are shown, or has no such \
        machine; 66 for a file that cannot be read.
        """
    )

    @Option(help: ArgumentHelp("How many characters a line has; the terminal's width by default, or 100."))
    var width: Int?

    @OptionGroup var selection: Selection

    func validate() throws {
      if let width, !Self.widths.contains(width) {
        throw ValidationError("--width takes \(Self.widths.lowerBound) to \(Self.widths.upperBound), not \(width).")
      }
    }

    private static let widths = 40...1000

    func run() throws {
      try selection.show { lines, isChosen in
        GunyahPicture.lines(
          lines,
          width: width ?? Self.terminalWidth ?? 100,
          advice: "choose with --machine, or give a larger --width",
          where: isChosen
        )
      }
    }

    private static var terminalWidth: Int? {
      var (columns, rows): (UInt16, UInt16) = (0, 0)
      // SAFETY: the variables hold for the call.
      return unsafe chost_terminal_size(STDOUT_FILENO, &columns, &rows) ? Int(columns) : nil
    }
  }

  /// Which lines of which transcript.
  struct Selection: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "Only what this machine did: its name, as the lines have it. May be given several times.",
        valueName: "name"
      )
    )
    var machine: [String] = []

    @Option(
      help: ArgumentHelp(
        "Only messages of the resource manager's, or only calls. May be given twice.",
        valueName: "rpc|calls"
      ),
      transform: { text in
        guard let kind = Kind(rawValue: text) else { throw ValidationError("give rpc or calls") }
        return kind
      }
    )
    var only: [Kind] = []

    @Argument(help: "The transcript; - is standard input.")
    var file: String

    enum Kind: String {
      case rpc
      case calls
    }

    /// Shows what `text` makes of the transcript, or of what is before a mistake in it, which is then told.
    ///
    /// - Parameter text: gets all lines, and tells which of them are chosen.
    func show(_ text: ([GunyahLine], (GunyahLine) -> Bool) -> [String]) throws {
      let bytes = try Message.reporting { () throws(InputFileError) in try InputFile.read(file) }
      let lines: [GunyahLine]
      var mistake: GunyahLineError?
      do throws(GunyahLineError) {
        lines = try GunyahLine.lines(bytes)
      } catch {
        (lines, mistake) = (error.before, error)
      }
      if mistake == nil { try check(lines) }
      try TranscriptOutput.show(file, lines, mistake) { text($0, isChosen) }
    }

    private func check(_ lines: [GunyahLine]) throws {
      let names = Set(lines.map(\.name))
      guard let wrong = machine.first(where: { !names.contains($0) }) else { return }
      let known = names.isEmpty ? "none" : names.sorted().joined(separator: ", ")
      throw BadText.said("\(file): there is no machine '\(wrong)'; there are \(known)")
    }

    private func isChosen(_ line: GunyahLine) -> Bool {
      let kind: Kind = if case .call = line.record.content { .calls } else { .rpc }
      return (only.isEmpty || only.contains(kind)) && (machine.isEmpty || machine.contains(line.name))
    }
  }
}
