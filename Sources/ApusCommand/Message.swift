import Apus
import ArgumentParser
import FoundationEssentials
import Host
import Logging

/// What Apus says to the person who called it, on standard error.
enum Message {
  /// Under which name the process speaks.
  static var program: String { QEMUDoor.isCalled ? QEMUDoor.program : "apus" }

  /// Says one line, whatever stands in the text.
  static func say(_ text: String) {
    StandardStreams.writeError("\(program): \(text.plain)\n")
  }

  /// Writes what was asked for to standard output, a line feed behind each line.
  static func show(_ lines: [String]) throws {
    _ = try offer(lines)
  }

  /// The same for what may have no end.
  ///
  /// - Returns: false where nobody reads it any more.
  static func offer(_ lines: [String]) throws -> Bool {
    let text = lines.map { $0.plain + "\n" }.joined()
    return try reporting { () throws(OutputFileError) in try StandardStreams.writeOutput(Array(text.utf8)) }
  }

  static func show(_ line: String) throws {
    try show([line])
  }

  /// Writes a value as JSON, which has its own way to write what a terminal would act upon.
  static func show(json value: some Encodable) throws {
    let bytes = Array(try JSON.text(value).utf8) + [0x0A]
    _ = try reporting { () throws(OutputFileError) in try StandardStreams.writeOutput(bytes) }
  }

  /// Runs something that may be the caller's mistake: then says what is wrong and ends with the mistake's status.
  static func reporting<Result: ~Copyable, Failure: CommandFailure>(
    _ body: () throws(Failure) -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch {
      for message in error.messages { say("error: \(message)") }
      throw ExitCode(error.exitStatus)
    }
  }

  /// The same for what may go wrong in several ways.
  static func reportingAny(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let failure as any CommandFailure {
      for message in failure.messages { say("error: \(message)") }
      throw ExitCode(failure.exitStatus)
    }
  }

  /// The same for what may be wrong with a configuration, which the caller wrote as options.
  static func reporting<Result: ~Copyable>(
    _ configuration: Configuration,
    _ body: () throws(ConfigurationError) -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch {
      for problem in error.problems { say("error: \(configuration.message(problem))") }
      throw ExitCode(error.exitStatus)
    }
  }

  /// Refuses a file that an option would write, where the machine needs it as it is, or writes it.
  static func refuse(_ path: String?, of option: String, ifUsedBy configuration: Configuration) throws {
    guard let path, let other = configuration.use(ofFile: path) else { return }
    say("error: \(option): '\(path)' is the file of \(configuration.option(other)), too; name another one")
    throw ExitCode(FailureKind.usage.rawValue)
  }

  /// Gives the help or the version that was asked for, or says what the argument parser has found wrong.
  ///
  /// - Returns: the exit status.
  static func answer(_ error: any Error) -> Int32 {
    let status = ApusCommand.exitCode(for: error).rawValue
    var text = ApusCommand.fullMessage(for: error)
    if status == 0 {
      do {
        try StandardStreams.writeOutput(Array((text + "\n").utf8))
        return 0
      } catch {
        say("error: \(error)")
        return error.exitStatus
      }
    }
    // The message repeats words of the command line; what follows it is Apus's own.
    let message = ApusCommand.message(for: error)
    let start = "Error: " + message
    if text.hasPrefix(start) {
      say("error: \(message)")
      text = String(text.dropFirst(start.count))
    }
    for line in text.split(separator: "\n") { say(String(line)) }
    return status
  }

  /// A logger that writes to standard error from `level` on.
  static func logger(_ level: Logger.Level) -> Logger {
    Logger(label: program) { ErrorLog(label: $0, level: level) }
  }
}

/// An error that has an exit status.
protocol CommandFailure: Error {
  var exitStatus: Int32 { get }
  /// What to say, a line to each.
  var messages: [String] { get }
}

extension CommandFailure {
  var messages: [String] { ["\(self)"] }
}

extension InputFileError: CommandFailure {}
extension SnapshotRefusal: CommandFailure {
  var exitStatus: Int32 { kind.rawValue }
}
extension OutputFileError: CommandFailure {}

/// JSON for people and programs: sorted keys, indented.
enum JSON {
  static func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    // The encoder leaves what is no ASCII as it is, also what a terminal acts upon.
    guard text.utf8.contains(where: { $0 >= 0x7F }) else { return text }
    return text.unicodeScalars.map { scalar in
      scalar.value < 0x7F || String(scalar).plain.unicodeScalars.elementsEqual([scalar])
        ? String(scalar) : Unicode.UTF16.encode(scalar)?.map(escape).joined() ?? ""
    }.joined()
  }

  private static func escape(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}
