import Host

/// What machine to make and how to end it.
///
/// A plain value: nothing is opened or checked until ``Machine/init(_:platform:gunyah:logger:)``, which reports every
/// mistake at once. It can be coded: `Documentation/Library.md` shows the form.
public struct Configuration: Equatable, Sendable {
  /// What the guest runs.
  public var payload: Payload
  /// The path of an initramfs, or none.
  public var initramfs: String?
  /// The kernel's command line.
  public var commandLine = ""
  /// The machine's name, which the guest finds in its device tree. Printable ASCII, 1 to 64 characters.
  public var name = "apus"
  /// The machine's identity, or nil: then each machine that is made of the configuration draws one, ``Machine/uuid``.
  public var uuid: UUID?
  /// How many vCPUs, 1 to the host's maximum.
  public var cpuCount = 1
  /// Bytes of RAM, a multiple of 1 MiB.
  public var memorySize: UInt64 = 512 << 20
  /// The most bytes that the machine may take in all (RAM, the devices' windows, and what is plugged), or no limit. A
  /// plug beyond it is refused, and the machine goes on.
  public var memoryLimit: UInt64?
  /// What the host's pages for the RAM are to be.
  public var pages = Pages.hugeWherePossible
  /// The interrupt controller.
  public var gic = GIC.automatic
  /// Features of the vCPUs that a host may have.
  public var cpuFeatures = CPUFeatures()
  /// What the guest is promised of its processor.
  public var cpuModel = ProcessorChoice.host
  /// The hypervisor that the guest finds.
  public var personality = Personality.kvm
  /// The virtio devices, in the order of their addresses: at most 32.
  public var devices: [Device] = []
  /// What the devices may reach of the guest's memory.
  public var dma = DMA.confined()
  /// Where each message of the SCMI platform goes as a line of JSON, or nowhere.
  public var scmiTranscript: String?
  /// Where each call of Gunyah's and each message of its resource manager goes as a line of JSON, or nowhere.
  public var gunyahTranscript: String?
  /// Where the guest's console leads: its serial port or, with such a device, its virtio console.
  public var console = Console.stream
  /// Where clients may steer the running machine and look into it, or nowhere.
  public var control: Control?
  /// What happens when the guest resets the machine.
  public var onReset = ResetPolicy.reboot
  /// What an access to an address with neither memory nor a device comes to.
  public var unmapped = UnmappedPolicy.fault
  /// How long the machine may run, or without limit.
  public var timeout: Duration?
  /// Whether the report tells how much memory the process had at its end. Finding it out takes longer than ending a
  /// small machine, and the longer the more memory the guest has.
  public var measuresMemory = true
  /// KVM's device.
  public var kvmPath = "/dev/kvm"
  /// The paths of device tree overlays, which are applied to the machine's tree in this order.
  public var deviceTreeOverlays: [String] = []
  /// Where to write the device tree blob that the guest gets, or nowhere.
  public var deviceTreeDump: String?
  /// Where a debugger may connect, or nowhere.
  public var debugger: Debugger?

  /// A machine that boots `payload`, with the defaults for all else.
  public init(payload: Payload) {
    self.payload = payload
  }

  /// A machine that boots the kernel image at `kernel`.
  public init(kernel: String, initramfs: String? = nil, commandLine: String = "") {
    payload = .kernel(path: kernel)
    self.initramfs = initramfs
    self.commandLine = commandLine
  }

  /// What a guest runs.
  public enum Payload: Equatable, Sendable {
    /// A Linux image (plain, gzip or EFI zboot) or an ELF64 executable; its bytes tell which.
    case kernel(path: String)
    /// A headerless binary, put at RAM + 512 KiB and entered at its first byte.
    case raw(path: String)

    /// The file.
    public var path: String {
      switch self {
      case .kernel(let path), .raw(let path): path
      }
    }
  }

  /// The host's pages for a guest's RAM.
  public enum Pages: String, Codable, CaseIterable, Sendable {
    /// Transparent huge pages as far as the host gives them on request and has them free, small ones otherwise.
    case hugeWherePossible
    /// The same; a host that gives none at all is refused.
    case huge
    /// Small ones: the guest's memory takes no more of the host's than the guest has touched, at the price of a fault
    /// for each page.
    case small
  }

  /// The choice of interrupt controller.
  public enum GIC: String, Codable, CaseIterable, Sendable {
    /// The newest that the host has.
    case automatic
    /// GICv2.
    case v2
    /// GICv3.
    case v3
  }

  /// Features of the vCPUs that are on where the host has them.
  public struct CPUFeatures: Equatable, Sendable {
    /// The scalable vector extension.
    public var sve = true
    /// The performance monitors.
    public var pmu = true
    /// Pointer authentication, of addresses and of data.
    public var pointerAuthentication = true

    /// All on where the host has them.
    public init() {}
  }

  /// A model of a processor. Documentation/CPUModels.md
  public enum ProcessorChoice: Equatable, Sendable {
    /// What the host's KVM shows, with the features of ``Configuration/cpuFeatures``.
    case host
    /// A model that comes with Apus: by its name, as Documentation/CPUModels.md has them.
    case named(String)
    /// The model of a file.
    case file(path: String)
    /// This one.
    case model(ProcessorModel)
  }

  /// The hypervisor that a guest finds, by its device tree and its calls.
  public enum Personality: String, Codable, CaseIterable, Sendable {
    /// A plain machine of KVM's.
    case kvm
    /// Gunyah's interface: message queues, doorbells and a resource manager. Documentation/Gunyah.md
    case gunyah
  }

  /// Where the guest's console leads.
  public enum Console: Equatable, Sendable {
    /// To the library: ``Machine/console`` is read and written by the program.
    case stream
    /// To this process's standard input and output; a terminal is put into raw mode and restored.
    case standardStreams
    /// To a file that is truncated; there is no input.
    case file(path: String)
    /// To a new pseudo-terminal, whose name is logged. A link to it is made where `link` names a path.
    case pseudoTerminal(link: String? = nil)
    /// To a descriptor that is open already, which is read and written as far as it can be: 3 or more, a socket say. It
    /// stays the caller's.
    case descriptor(Int32)
    /// Nowhere.
    case none
  }

  /// Where a machine's control socket is: a UNIX socket for this user alone.
  public enum Control: Equatable, Sendable {
    /// At this path. The machine is registered in the folder of this user's machines by a link.
    case socket(path: String)
    /// In the folder of this user's machines.
    case registered
  }

  /// What an access to an address with neither memory nor a device comes to.
  public enum UnmappedPolicy: String, Codable, CaseIterable, Sendable {
    /// The machine ends with ``Outcome/End/guestFault(_:)``.
    case fault
    /// A read gives 0, a write is dropped, and the report counts both. An instruction that no device can answer (a pair
    /// of registers, an atomic or a vector) and a jump end the machine all the same.
    case zero
  }

  /// What a reset by the guest means.
  public enum ResetPolicy: String, Codable, CaseIterable, Sendable {
    /// The machine starts anew.
    case reboot
    /// The machine ends with ``Outcome/End/reset``.
    case stop
  }
}

extension Configuration.Console: CustomStringConvertible {
  /// `stream`, `stdio`, `file=` and a path, `pty`, `pty=` and a link's path, `fd=` and a number, or `none`.
  public var description: String {
    switch self {
    case .stream: "stream"
    case .standardStreams: "stdio"
    case .file(let path): "file=\(path)"
    case .pseudoTerminal(let link): link.map { "pty=\($0)" } ?? "pty"
    case .descriptor(let number): "fd=\(number)"
    case .none: "none"
    }
  }
}
