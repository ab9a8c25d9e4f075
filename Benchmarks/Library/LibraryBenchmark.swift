import Apus

/// What it takes to run a guest from a program of one's own:
/// `LibraryBenchmark raw|kernel PATH [COMMAND-LINE [INITRAMFS]]`; or with `pause` what ``PauseBenchmark`` says.
@main
enum LibraryBenchmark {
  static func main() throws {
    let arguments = CommandLine.arguments
    if arguments[1] == "pause" { return try PauseBenchmark.run(Array(arguments[2...])) }
    let path = arguments[2]
    var configuration = Configuration(payload: arguments[1] == "raw" ? .raw(path: path) : .kernel(path: path))
    configuration.memorySize = 128 << 20
    configuration.console = .standardStreams
    if arguments.count > 3 { configuration.commandLine = arguments[3] }
    if arguments.count > 4 { configuration.initramfs = arguments[4] }
    let report = try Machine(configuration).run()
    precondition(report.exitStatus == 0, report.message)
  }
}
