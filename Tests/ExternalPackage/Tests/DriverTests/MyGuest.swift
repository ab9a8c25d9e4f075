import ApusTesting

extension GuestSetup {
  /// The kernel and the initramfs that the variables KERNEL and INITRAMFS name, with a shell on the console.
  static var mine: GuestSetup {
    .linux(
      kernel: try path(inVariable: "KERNEL"),
      initramfs: try path(inVariable: "INITRAMFS"),
      commandLine: "quiet initcall_blacklist=trace_eval_init",
      memory: 128 << 20
    ).ready(at: "# ")
  }
}
