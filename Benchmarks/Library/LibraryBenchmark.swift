import Apus

/// What it takes to run a guest from a program of one's own:
/// `LibraryBenchmark raw|kernel PATH [COMMAND-LINE [INITRAMFS]]`. With `pause ROUNDS PATH COMMAND-LINE INITRAMFS DISK
/// PLATFORM` the machine has four vCPUs and a device of each kind, and is paused and resumed so often while it runs.
@main
enum LibraryBenchmark {
  static func main() throws {
    let arguments = CommandLine.arguments
    if arguments[1] == "pause" { return try pause(Array(arguments[2...])) }
    let path = arguments[2]
    var configuration = Configuration(payload: arguments[1] == "raw" ? .raw(path: path) : .kernel(path: path))
    configuration.memorySize = 128 << 20
    configuration.console = .standardStreams
    if arguments.count > 3 { configuration.commandLine = arguments[3] }
    if arguments.count > 4 { configuration.initramfs = arguments[4] }
    let report = try Machine(configuration).run()
    precondition(report.exitStatus == 0, report.message)
  }

  private static func pause(_ arguments: [String]) throws {
    let rounds = Int(arguments[0]) ?? 0
    var configuration = Configuration(kernel: arguments[1], initramfs: arguments[3], commandLine: arguments[2])
    configuration.cpuCount = 4
    configuration.memorySize = 128 << 20
    configuration.console = .standardStreams
    configuration.devices = [
      .init(.block(.init(path: arguments[4]))), .init(.entropy), .init(.network(.init(.tap(name: "tap0")))),
      .init(.console(.init(carriesConsole: false, ports: [.init("log", .file(path: "port"))]))),
      .init(.scmi(.init(path: arguments[5]))),
    ]
    let machine = try Machine(configuration)
    Task.detached {
      // The guest has begun its load.
      while let inspection = await machine.inspect(), inspection.devices[0].kicks < 100 {
        try await Task.sleep(for: .milliseconds(5))
      }
      // As often also where nothing is paused, so that the difference is the pauses'.
      for round in 0..<100 {
        try await Task.sleep(for: .milliseconds(2))
        guard round < rounds else { continue }
        guard await machine.pause(), await machine.resume() else { break }
      }
    }
    let report = machine.run()
    precondition(report.exitStatus == 0, report.message)
    precondition(report.pauses == rounds, "the load lasted for \(report.pauses) pauses")
    for device in report.devices { precondition(device.interrupts > 20, "\(device.name) had no load") }
  }
}
