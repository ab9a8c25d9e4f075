import Apus
import ApusTesting
import GuestSupport
import Testing

/// What README.md shows of the library, compiled and run.
@Suite("The library's example", .requiresKVM, .ownThread)
struct ExampleTests {
  @Test("boots a guest, reads its console and awaits its outcome")
  func example() async throws {
    let (kernel, initramfs) = (try GuestFile.linux(), try GuestFile.initramfs())
    var lines: [String] = []

    // The example begins here.
    var configuration = Configuration(kernel: kernel, initramfs: initramfs)
    configuration.commandLine = "console=ttyAMA0 quiet apus_mode=demo"
    configuration.cpuCount = 2
    let machine = try Machine(configuration)
    try machine.start()
    for await line in machine.console.lines { lines.append(line) }
    let outcome = await machine.outcome
    // It ends here.

    #expect(outcome.end == .poweredOff)
    #expect(lines.contains { $0.contains("2 CPUs") })
  }
}
