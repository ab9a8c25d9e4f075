import Apus
import GuestSupport

/// Machines that boot Linux, as the tests here want them.
enum LinuxGuest {
  /// Leaves out the kernel's self-description of its trace events, four fifths of a boot's instructions.
  private static let shortBoot = "initcall_blacklist=trace_eval_init"

  /// The project's kernel and initramfs; the first process does what `mode` says (Guests/Linux/init).
  static func configuration(_ mode: String, kernel: String? = nil, quiet: Bool = true) throws -> Configuration {
    var configuration = Configuration(
      kernel: try kernel ?? GuestFile.linux(),
      initramfs: try GuestFile.initramfs(),
      commandLine: "console=ttyAMA0 \(quiet ? "quiet " : "")\(shortBoot) apus_mode=\(mode)"
    )
    configuration.memorySize = 128 << 20
    return configuration
  }

  /// A guest that runs one command line of its shell, prints `exit status N` and powers off.
  ///
  /// The kernel's messages would come in the middle of the command's lines: on a busy host it has some that are no
  /// news.
  static func executing(_ command: String) throws -> Configuration {
    try configuration("exec apus_exec=\"\(quiet)\(command)\"")
  }

  /// Has the console show none of the kernel's messages from now on but its last ones.
  static let quiet = "dmesg -n 1; "

  /// Keeps a shell to the CPU that interrupts come to. Linux's `virtio_mmio` frees a driver's queues while its handler
  /// may still walk along them on another CPU: whoever unbinds a driver that has just been interrupted does so from
  /// there.
  static let onFirstCPU = "read P _ </proc/self/stat; taskset -p 1 $P >/dev/null"
}
