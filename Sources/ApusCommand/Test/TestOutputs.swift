import Apus
import ApusHarness
import Host
import Synchronization

/// The reports that were asked for: their files are made before the first guest starts, so that none runs for nothing.
final class TestOutputs {
  private var files: [(file: ReportText, write: (TestReport) -> [UInt8])] = []
  /// The exit status of a report that could not be written, or 0.
  private(set) var status: Int32 = 0

  private final class ReportText {
    private let file: Mutex<OutputFile?>

    init(_ path: String) throws(OutputFileError) {
      file = Mutex(try OutputFile(path: path))
    }

    func write(_ bytes: [UInt8]) throws(OutputFileError) {
      guard let file = file.withLock({ $0.take() }) else { return }
      try file.write(bytes)
    }
  }

  /// - Throws: the exit status, after it has been said which cannot be made.
  init(junit: String?, tap: String?, json: String?) throws {
    for (option, path, write) in Self.wanted(junit: junit, tap: tap, json: json) {
      files.append((try Self.make(option, path), write))
    }
  }

  /// The options that ask for a report, where to, and what writes it.
  static func wanted(
    junit: String?,
    tap: String?,
    json: String?
  ) -> [(option: String, path: String, write: (TestReport) -> [UInt8])] {
    let all: [(option: String, path: String?, write: (TestReport) -> [UInt8])] = [
      ("--junit", junit, JUnitWriter.write), ("--tap", tap, TAPWriter.write), ("--json", json, JSONWriter.write),
    ]
    return all.compactMap { option, path, write in path.map { (option, $0, write) } }
  }

  private static func make(_ option: String, _ path: String) throws -> ReportText {
    do {
      return try ReportText(path)
    } catch {
      for message in error.messages { Message.say("error: \(option): \(message)") }
      throw ExitStatus.code(error.exitStatus)
    }
  }

  /// Writes all; what cannot be written is said.
  func write(_ report: TestReport) {
    for (file, write) in files {
      do {
        try file.write(write(report))
      } catch {
        for message in error.messages { Message.say("error: \(message)") }
        status = error.exitStatus
      }
    }
  }
}
