internal import TestSupport

/// The files that guests are booted from, by the variables of the environment that name their places.
///
/// Guests/Linux and Guests/BareMetal make them; `make test` sets the variables. All throw ``Missing`` where the
/// variable is not set or the file is not there.
public enum GuestFile {
  /// The project's Linux kernel, as the build made it.
  public static func linux() throws(Missing) -> String { try path("APUS_GUEST_KERNEL", "Image") }

  /// The same, compressed.
  public static func compressedLinux() throws(Missing) -> String { try path("APUS_GUEST_KERNEL", "Image.gz") }

  /// Debian's own kernel.
  public static func debianLinux(_ release: DebianRelease = .trixie) throws(Missing) -> String {
    switch release {
    case .bookworm: try path("APUS_DEBIAN_ROOT", "kernel-12")
    case .trixie: try path("APUS_DEBIAN_KERNEL", "vmlinuz")
    }
  }

  /// A disk with Debian's root file system, not to be written.
  public static func debianRoot() throws(Missing) -> String { try path("APUS_DEBIAN_ROOT", "root.img") }

  /// The initramfs that loads the disk's modules of Debian's kernel and hands over to that file system.
  public static func debianInitramfs(_ release: DebianRelease = .trixie) throws(Missing) -> String {
    switch release {
    case .bookworm: try path("APUS_DEBIAN_ROOT", "initramfs-12.cpio")
    case .trixie: try path("APUS_DEBIAN_ROOT", "initramfs.cpio")
    }
  }

  /// The initramfs whose first process does what `apus_mode=` on the command line says.
  public static func initramfs() throws(Missing) -> String { try path("APUS_GUEST_INITRAMFS", "initramfs.cpio") }

  /// A bare-metal guest in one of its forms.
  public static func bareMetal(_ name: String, _ form: BareMetalForm = .elf) throws(Missing) -> String {
    try path("APUS_BARE_METAL", "\(name).\(form.rawValue)")
  }

  /// Debian's U-Boot for QEMU's arm64 board, a headerless binary.
  ///
  /// - Parameter suite: `bookworm` or `trixie`.
  public static func uBoot(_ suite: String) throws(Missing) -> String { try path("APUS_U_BOOT", "\(suite).bin") }

  /// The `apus` executable.
  public static func command() throws(Missing) -> String { try path("APUS_COMMAND", "apus") }

  /// A Python 3 that runs where the tests do.
  public static func python() throws(Missing) -> String { try path("APUS_PYTHON", "python3") }

  /// A qemu-storage-daemon that runs where the tests do.
  public static func storageDaemon() throws(Missing) -> String {
    try path("APUS_STORAGE_DAEMON", "qemu-storage-daemon")
  }

  /// The documentation's driver as a module, with its mistake and without: `broken.ko`, `fixed.ko`; for a kernel of
  /// another release: `other-kernel.ko`; or an initramfs that has these in /modules: `initramfs.cpio`.
  public static func clockDriver(_ name: String) throws(Missing) -> String { try path("APUS_CLOCK_DRIVER", name) }

  /// Debian's releases whose kernels are booted: 12 and 13.
  public enum DebianRelease: String, CaseIterable, Sendable {
    /// Linux 6.1.
    case bookworm
    /// Linux 6.12.
    case trixie
  }

  /// The client of Gunyah's for guests: an initramfs with the module and its program, `initramfs.cpio`, or one that has
  /// a secondary machine's kernel and initramfs, too: `primary.cpio`.
  public static func gunyahClient(_ name: String) throws(Missing) -> String { try path("APUS_GUNYAH_CLIENT", name) }

  /// How a bare-metal guest is packed.
  public enum BareMetalForm: String, CaseIterable, Sendable {
    /// An ELF64 executable.
    case elf
    /// A headerless binary.
    case bin
  }

  /// A variable that is not set, or names no file.
  public struct Missing: Error, CustomStringConvertible {
    /// Its name.
    public let variable: String
    /// The file's name in the folder that the variable may name instead.
    public let file: String

    public var description: String {
      "\(variable) names neither a file nor a folder with '\(file)' in it; 'make test' sets it"
    }
  }

  private static func path(_ variable: String, _ file: String) throws(Missing) -> String {
    guard let value = Variable.value(variable), !value.isEmpty else { throw Missing(variable: variable, file: file) }
    switch FileKind(path: value) {
    case .file: return value
    case .folder where FileKind(path: "\(value)/\(file)") == .file: return "\(value)/\(file)"
    case .folder, .missing: throw Missing(variable: variable, file: file)
    }
  }
}
