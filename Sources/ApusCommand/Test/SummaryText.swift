import ApusHarness
import Glibc
import Host

/// Prints a report for a person: in colours on a terminal, unless `NO_COLOR` asks for none (no-color.org).
enum SummaryText {
  /// - Throws: the exit status, where standard output cannot be written to.
  static func show(_ report: TestReport) throws {
    let lines = TextSummary.markedLines(report)
    guard hasColours else { return try Message.show(lines.map(\.text)) }
    // The last line's verdict is all before the numbers; before that one, a word is.
    let marked = lines.dropLast().map { coloured($0, upTo: " ") } + lines.suffix(1).map { coloured($0, upTo: ":") }
    let text = marked.map { $0 + "\n" }.joined()
    _ = try Message.reporting { () throws(OutputFileError) in try StandardStreams.writeOutput(Array(text.utf8)) }
  }

  private static var hasColours: Bool {
    let variables = ProcessEnvironment.all
    return isatty(STDOUT_FILENO) == 1 && (variables["NO_COLOR"] ?? "").isEmpty && variables["TERM"] != "dumb"
  }

  /// A line whose verdict, or all of which where it quotes, has its colour.
  private static func coloured(_ line: TextSummary.Line, upTo end: Character) -> String {
    let text = line.text.plain
    let colour: String
    switch line.mark {
    case .good: colour = "32"
    case .bad: colour = "1;31"
    case .skipped: colour = "33"
    case .detail: return text
    case .quoted: return "\u{1B}[2m\(text)\u{1B}[0m"
    }
    let word = text.prefix { $0 != end }
    return "\u{1B}[\(colour)m\(word)\u{1B}[0m\(text.dropFirst(word.count))"
  }
}
