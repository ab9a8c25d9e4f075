/// The options of qemu-system-aarch64: those that are taken, and what is said of the others.
enum QEMUOptionTable {
  /// Whether an option has a word behind it; nil where QEMU has none of that name.
  static func hasValue(_ name: String) -> Bool? {
    if flags.contains(name) { return false }
    if valued.contains(name) { return true }
    return refused.first { $0.name == name }?.hasValue
  }

  /// Why an option is refused, and what to give instead; nil where it is taken.
  static func refusal(of name: String) -> String? { refused.first { $0.name == name }?.reason }

  private static let flags = [
    "nographic", "no-reboot", "nodefaults", "no-user-config", "enable-kvm", "s", "S", "daemonize", "version", "help",
    "h", "no-acpi",
  ]

  private static let valued = [
    "M", "machine", "cpu", "accel", "m", "smp", "object", "numa", "kernel", "initrd", "append", "drive", "blockdev",
    "device", "netdev", "nic", "net", "chardev", "serial", "parallel", "monitor", "mon", "qmp", "gdb", "display", "vga",
    "name", "uuid", "rtc", "pidfile", "action", "global", "echr", "audio", "L",
  ]

  private static let firmware =
    "the machine has no flash memory at 0; 'apus run --raw --dma open --unmapped zero' runs U-Boot, and -kernel an Image"
  private static let folder =
    "9p is not there; let virtiofsd serve the folder and give -device vhost-user-fs-device, or use 'apus run --share'"
  private static let emulation = "the guest runs on KVM and not on an emulator; leave it out"
  private static let image = "give -drive file=PATH,format=raw,if=virtio"
  private static let screen = "the machine has no screen; leave it out"
  private static let state = "a machine's state is not kept; leave it out"

  private static let refused: [(name: String, hasValue: Bool, reason: String)] = [
    ("dtb", true, "Apus writes the device tree of its machine; add to it with 'apus run --dtb-overlay'"),
    ("bios", true, firmware), ("pflash", true, firmware),
    ("fsdev", true, folder), ("virtfs", true, folder),
    ("hda", true, image), ("hdb", true, image), ("hdc", true, image), ("hdd", true, image), ("cdrom", true, image),
    ("sd", true, image), ("fda", true, image), ("fdb", true, image), ("mtdblock", true, image),
    ("snapshot", false, "what the guest writes goes to the image; give a copy, or readonly=on"),
    ("no-shutdown", false, "the machine ends when its guest powers off; leave it out"),
    ("icount", true, emulation), ("d", true, emulation), ("D", true, emulation), ("dfilter", true, emulation),
    ("singlestep", false, emulation), ("plugin", true, emulation), ("perfmap", false, emulation),
    ("jitdump", false, emulation), ("tb-size", true, emulation), ("one-insn-per-tb", false, emulation),
    ("semihosting", false, "semihosting is not there; use the console or a virtserialport"),
    ("semihosting-config", true, "semihosting is not there; use the console or a virtserialport"),
    ("vnc", true, screen), ("spice", true, screen), ("full-screen", false, screen), ("g", true, screen),
    ("k", true, screen), ("rotate", true, screen), ("curses", false, screen),
    ("usb", false, "there is no USB; leave it out"), ("usbdevice", true, "there is no USB; leave it out"),
    ("audiodev", true, "there is no sound; give -audio none, or leave it out"),
    ("boot", true, "there is no firmware that chooses; give -kernel"),
    ("fw_cfg", true, "there is no fw_cfg; give the guest a file by -initrd or a disk"),
    ("smbios", true, "there is no SMBIOS; the guest has a device tree"),
    ("acpitable", true, "there is no ACPI; the guest has a device tree"),
    ("option-rom", true, "there are no option ROMs; leave it out"),
    ("incoming", true, state), ("loadvm", true, state), ("only-migratable", false, state),
    ("mem-path", true, "RAM is anonymous memory; use 'apus run --memory SIZE,hugepages' for huge pages"),
    ("mem-prealloc", false, "RAM is not touched before the guest does; leave it out"),
    ("overcommit", true, "RAM is not locked; leave it out"),
    ("sandbox", true, "it would promise what is not done here; run it where the system confines it"),
    ("run-with", true, "run it by a program that changes root or user; leave it out"),
    ("chroot", true, "run it in chroot(8); leave it out"), ("runas", true, "run it by setpriv(1); leave it out"),
    ("tpmdev", true, "there is no TPM; leave it out"), ("iscsi", true, "give a block device of the host to -drive"),
    ("watchdog", true, "there is no watchdog; leave it out"),
    ("watchdog-action", true, "there is no watchdog; leave it out"),
    ("bt", true, "there is no Bluetooth; leave it out"),
    ("set", true, "give the value at the device's own option"),
    ("readconfig", true, "give what the file says as options"), ("writeconfig", true, "keep the command line"),
    ("qmp-pretty", true, "give -qmp"), ("preconfig", false, "give -S"), ("add-fd", true, "name the file itself"),
    ("trace", true, "use 'apus run --log-level'"), ("msg", true, "messages have no time stamps; leave it out"),
    ("seed", true, "the guest's random numbers are the host's; leave it out"),
    ("compat", true, "leave it out"), ("vmnet", true, "give -netdev user"),
    ("virtiofs", true, "give -device vhost-user-fs-device"), ("xen-domid", true, emulation),
    ("debugcon", true, "there is no such port; give -serial"), ("no-fd-bootchk", false, "leave it out"),
    ("no-hpet", false, "leave it out"), ("win2k-hack", false, "leave it out"),
    ("prom-env", true, "leave it out"), ("old-param", false, "leave it out"),
  ]
}
