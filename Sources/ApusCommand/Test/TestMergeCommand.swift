import ApusHarness
import ArgumentParser
import Host

/// Joins the reports of the parts of a suite that ran on several machines.
struct TestMerge: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Join the reports of a suite's parts, and tell what is missing.",
    discussion: """
      Examples:
        apus test merge report-*.json
        apus test merge --expect 4 --junit all.xml report-*.json

      A part that never reported is a failure. A part that is there twice, and parts of different suites, end with \
      status 65, and nothing is written.

      Exit status: as that of `apus test`: 0 passed, 1 failed, 2 no test ran, 81 a kernel panicked, 83 and 84 an oops \
      and a warning that were to fail the run, or that of the end of a machine; 65 and 66 for reports that cannot be \
      used. Documentation/TestResults.md tells more.
      """
  )

  @Option(help: ArgumentHelp("How many parts there should be; without it, as many as they say.", valueName: "n"))
  var expect: Int?

  @Option(help: ArgumentHelp("Write the whole as JUnit XML.", valueName: "path"))
  var junit: String?

  @Option(help: ArgumentHelp("Write the whole as TAP 14.", valueName: "path"))
  var tap: String?

  @Option(help: ArgumentHelp("Write the whole as JSON.", valueName: "path"))
  var json: String?

  @Argument(help: "Reports that `apus test --json` wrote.")
  var reports: [String]

  func validate() throws {
    if let expect, !(1...Shard.maximumCount).contains(expect) {
      throw ValidationError("--expect takes 1 to \(Shard.maximumCount).")
    }
  }

  func run() throws {
    var inputs: [ReportMerge.Input] = []
    var empty: [String] = []
    for path in reports {
      let bytes = try Message.reporting { () throws(InputFileError) in try InputFile.read(path) }
      // The file is made before the first guest starts.
      guard !bytes.isEmpty else {
        empty.append("error: '\(path)' is empty: its part has ended before it could write its report")
        continue
      }
      do {
        inputs.append(ReportMerge.Input(source: path, report: try JSONReader.read(bytes)))
      } catch {
        throw BadText.said("\(path):\(error)")
      }
    }
    for message in empty { Message.say(message) }
    if inputs.isEmpty { throw ExitStatus.of(.badInput) }
    let merged: TestReport
    do {
      merged = try ReportMerge.merge(inputs, expected: expect)
    } catch {
      throw BadText.said(error.messages)
    }
    try write(merged)
    try SummaryText.show(merged)
    let status = merged.verdict.exitStatus
    if status != 0 { throw ExitCode(status) }
    // The others may not know of it.
    if !empty.isEmpty { throw ExitStatus.of(.badInput) }
  }

  private func write(_ report: TestReport) throws {
    for (_, path, text) in TestOutputs.wanted(junit: junit, tap: tap, json: json) {
      try Message.reporting { () throws(OutputFileError) in
        let file = try OutputFile(path: path)
        try file.write(text(report))
      }
    }
  }
}
