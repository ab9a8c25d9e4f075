import Apus
import ArgumentParser
import FoundationEssentials
import Logging

/// What Apus says to the person who called it, on standard error.
enum Message {
  /// Says one or more lines.
  static func say(_ text: String) {
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      StandardStreams.writeError("apus: \(line)\n")
    }
  }

  /// Writes what was asked for to standard output, with a line feed behind it.
  static func show(_ text: String) throws {
    try reporting { () throws(OutputFileError) in try StandardStreams.writeOutput(Array(text.utf8) + [0x0A]) }
  }

  /// Runs something that may be the caller's mistake: then says what is wrong and ends with the mistake's status.
  static func reporting<Result: ~Copyable, Failure: CommandFailure>(
    _ body: () throws(Failure) -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch {
      for line in "\(error)".split(separator: "\n") { say("error: \(line)") }
      throw ExitCode(error.exitStatus)
    }
  }

  /// A logger that writes to standard error from `level` on.
  static func logger(_ level: Logger.Level) -> Logger {
    Logger(label: "apus") { ErrorLog(label: $0, level: level) }
  }
}

/// An error that has an exit status.
protocol CommandFailure: Error {
  var exitStatus: Int32 { get }
}

extension ConfigurationError: CommandFailure {}
extension InputFileError: CommandFailure {
  var exitStatus: Int32 { Outcome.End.inputNotFound.exitStatus }
}
extension OutputFileError: CommandFailure {
  var exitStatus: Int32 { Outcome.End.cannotCreate.exitStatus }
}

/// JSON for people and programs: sorted keys, indented.
enum JSON {
  static func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
