import Apus

/// What it takes to give a guest memory and to take it away:
/// `MemoryBenchmark STEPS KERNEL COMMAND-LINE INITRAMFS` has it plug 1 GiB after its first 128 MiB, unplug that again,
/// and so on in so many steps.
@main
enum MemoryBenchmark {
  private static let least: UInt64 = 128 << 20
  private static let most: UInt64 = least + (1 << 30)

  static func main() async throws {
    let arguments = CommandLine.arguments
    guard let steps = Int(arguments[1]) else { fatalError("STEPS is no number") }
    var memory = Configuration.Device.Memory(size: 2 << 30)
    memory.initialSize = least
    var configuration = Configuration(kernel: arguments[2], initramfs: arguments[4], commandLine: arguments[3])
    configuration.memorySize = 128 << 20
    configuration.console = .none
    configuration.devices = [.init(.memory(memory))]
    let machine = try Machine(configuration)
    let events = machine.eventStream()
    try machine.start()
    var sizes = [least] + (0..<steps).map { $0.isMultiple(of: 2) ? most : least }
    let last = sizes[steps]
    for await event in events {
      guard case .hotplugMemory(let name, let requested, let plugged) = event.kind, requested == plugged,
        plugged == sizes[0]
      else { continue }
      sizes.removeFirst()
      guard let next = sizes.first else { break }
      try await machine.setHotplugMemory(name, requested: next)
    }
    machine.stop()
    let report = await machine.report
    precondition(report.devices[0].memory?.plugged == last, report.message)
  }
}
