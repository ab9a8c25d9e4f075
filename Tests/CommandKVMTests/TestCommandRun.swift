import ApusHarness
import GuestSupport
import TestLimits

/// A run of `apus test` that has ended: what it said, and its reports.
struct TestCommandRun {
  let status: Int32
  let output: String
  let error: String
  let report: TestReport?
  let junit: [UInt8]
  private let written: [UInt8]

  /// Runs it to its end.
  ///
  /// - Parameters:
  ///   - scripts: lines of the guest's shell, each a test, by its name.
  ///   - environment: words for env(1).
  init(
    _ workspace: Workspace,
    _ scripts: KeyValuePairs<String, String> = [:],
    _ arguments: [String] = [],
    environment: [String] = [],
    within limit: Duration = .seconds(120)
  ) throws {
    let process = try CommandProcess(
      environment + [try GuestFile.command()] + Self.arguments(workspace, scripts) + arguments,
      program: "/usr/bin/env"
    )
    try self.init(process, workspace, within: limit)
  }

  /// Waits for one that was started.
  init(_ process: CommandProcess, _ workspace: Workspace, within limit: Duration = .seconds(120)) throws {
    status = try process.wait(within: limit).status
    written = process.output + process.error
    output = process.outputText
    error = process.errorText
    junit = workspace.contents("out.xml")
    report = try? JSONReader.read(workspace.contents("out.json"))
  }

  /// The command line: the project's kernel, each script as a file, reports into the workspace.
  static func arguments(_ workspace: Workspace, _ scripts: KeyValuePairs<String, String>) throws -> [String] {
    var arguments = ["test", "--kernel", try GuestFile.linux()]
    arguments += ["--junit", workspace.file("out.xml"), "--json", workspace.file("out.json")]
    for (name, text) in scripts {
      workspace.write(text.hasPrefix("#!") || text.isEmpty ? text : "#!/bin/sh\n\(text)\n", to: name)
      arguments += ["--run", workspace.file(name)]
    }
    return arguments
  }

  func run(_ name: String) -> TestRun? { report?.runs.first { $0.name == name } }

  /// The verdict of one test's run.
  func verdict(_ name: String) -> Verdict? { run(name)?.verdict(failOn: report?.failOn ?? .panic) }

  /// Why one test did not run to its end.
  func text(_ name: String) -> String { run(name)?.results.last?.text ?? "" }

  /// Whether a terminal would show all that was written as it is: text of one character behind the other.
  var isPlain: Bool {
    guard let text = String(validating: written, as: UTF8.self) else { return false }
    return text.unicodeScalars.allSatisfy { scalar in
      scalar == "\n" || scalar.value >= 0x20 && scalar.value != 0x7F && !(0x80..<0xA0).contains(scalar.value)
    }
  }

  /// Whether the report for other programs is XML that is whole: characters that XML has, tags that match.
  var hasWellFormedJUnit: Bool {
    guard let text = String(validating: junit, as: UTF8.self), text.hasPrefix("<?xml ") else { return false }
    let isText = text.unicodeScalars.allSatisfy {
      $0 == "\n" || $0 == "\t" || $0.value >= 0x20 && $0.value < 0xFFFE || $0.value > 0xFFFF
    }
    guard isText else { return false }
    var open: [Substring] = []
    var rest = text[...].drop { $0 != ">" }.dropFirst()
    while let start = rest.firstIndex(of: "<") {
      guard let end = rest[start...].firstIndex(of: ">") else { return false }
      let tag = rest[rest.index(after: start)..<end]
      if tag.first == "/" {
        guard open.popLast() == tag.dropFirst() else { return false }
      } else if tag.last != "/" {
        open.append(tag.prefix { $0 != " " })
      }
      rest = rest[end...].dropFirst()
    }
    return open.isEmpty
  }
}
