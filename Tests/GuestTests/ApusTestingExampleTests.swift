import Apus
import ApusTesting
import GuestSupport
import Testing

/// What Documentation/ApusTesting.md shows, compiled and run: `DocumentedExampleTests` compares the two.
@Suite("The example of a test", .requiresKVM, .ownThread)
struct ApusTestingExampleTests {
  private let kernel: String
  private let initramfs: String
  private let commandLine = "console=ttyAMA0 quiet initcall_blacklist=trace_eval_init"

  init() throws {
    (kernel, initramfs) = (try GuestFile.linux(), try GuestFile.initramfs())
  }

  // The example begins here.
  @Test("a panic of the kernel is the machine's end")
  func panic() async throws {
    var configuration = Configuration(kernel: kernel, initramfs: initramfs, commandLine: commandLine)
    configuration.memorySize = 128 << 20
    let run = try await GuestRun.boot(configuration) { _, console in
      try await console.expect("# ")
      console.send("echo c >/proc/sysrq-trigger\n")
    }
    #expect(run.outcome.end == .panicked)
    #expect(run.console.contains("Kernel panic - not syncing: sysrq triggered crash"))
  }
  // It ends here.
}
