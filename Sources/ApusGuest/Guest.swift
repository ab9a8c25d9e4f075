internal import AgentProtocol
public import Apus
internal import CHost
internal import Glibc
internal import Host
public import SCMI
internal import Synchronization

/// A machine that a program drives: its console, programs that run in the guest, files that go in and out, and how it
/// ends.
///
/// Whatever waits has a limit of time, which leaves out what the machine waited for a processor. May be used from any
/// task.
public final class Guest: Sendable {
  /// What the guest runs on, for all that is not said here: its pauses, its report, its debugger.
  public let machine: Machine
  /// The guest's console, which nobody else should read.
  public let console: ConsoleTranscript

  /// The shared SCMI platform that the machine was given, or nil.
  public let platform: SharedPlatform?

  let recorder: PlatformRecorder?
  let agent: AgentConnection?
  private let ending = Mutex(EndState())

  private struct EndState {
    var isAwaited = false
    var kernelLog: String?
  }

  /// How long a request may take where its caller says nothing.
  public static let requestLimit: Duration = .seconds(60)

  init(_ machine: Machine, _ platform: SharedPlatform?, agent: AgentConnection?, _ options: Options) {
    self.machine = machine
    self.platform = platform
    recorder = platform.map { PlatformRecorder($0) }
    self.agent = agent
    limitsAreWall = options.limitsAreWall
    console = ConsoleTranscript(machine.console, observer: options.consoleObserver)
  }

  /// Whether limits are time on the wall, and not what a machine takes that has nothing else to do.
  let limitsAreWall: Bool

  /// How a guest is started, beside its configuration.
  public struct Options: Sendable {
    /// Whether programs are to be run in the guest, and files pushed and pulled.
    public var withAgent = true
    /// What the guest's initramfs has besides the configuration's own.
    public var additions = InitramfsArchive()
    /// Whether limits of requests are time on the wall. Otherwise they leave out what the machine waited for a
    /// processor, and are longer on a slow one.
    public var limitsAreWall = false
    /// Gets all that the guest writes to its console, as it comes, and must not wait.
    public var consoleObserver: (@Sendable ([UInt8]) -> Void)?
    /// Whether the platform of a guest that goes on from a snapshot becomes what that one's was.
    package var restoresPlatform = false

    /// The defaults.
    public init() {}
  }

  /// Makes a machine and starts it.
  ///
  /// With an agent, the guest gets a virtio console with one port more, `org.apus.agent`, its initramfs a folder
  /// `/.apus`, and the kernel `rdinit=/.apus/agent`; the initramfs's own `/init` runs as ever. The kernel needs
  /// `CONFIG_BLK_DEV_INITRD`, `CONFIG_PROC_FS`, `CONFIG_SYSFS` and `CONFIG_VIRTIO_CONSOLE`, built in or loaded by
  /// `/init`, and to be 5.6 or later. Without `/init` the agent is the init: it mounts what programs expect (`/proc`,
  /// `/sys`, `/dev`, `/dev/pts`, `/dev/shm`, `/run`, `/tmp`) and links ports to `/dev/virtio-ports`.
  ///
  /// - Parameters:
  ///   - configuration: its console must be `.stream`, the default.
  ///   - platform: the shared SCMI platform that the configuration's device is on, or nil.
  ///   - options: how.
  /// - Throws: `ConfigurationError` for every mistake at once, ``HostTree/Failure`` for an initramfs that is none,
  ///   `InputFileError` and `HostError`.
  public static func start(
    _ configuration: Configuration,
    platform: SharedPlatform? = nil,
    _ options: Options = Options()
  ) throws -> Guest {
    var configuration = configuration
    guard options.withAgent else {
      let additions = options.additions
      let file = try additions.isEmpty ? nil : memoryFile(configuration, [additions])
      if let file { configuration.initramfs = file.file.path }
      let guest = Guest(try Machine(configuration, platform: platform), platform, agent: nil, options)
      try guest.machine.start()
      return guest
    }
    let key = AgentKey()
    let file = try memoryFile(configuration, [options.additions, key.archive])
    let ends = try Ends()
    configuration.initramfs = file.file.path
    configuration.commandLine += "\(configuration.commandLine.isEmpty ? "" : " ")rdinit=\(AgentKey.agentPath)"
    configuration.addPort(Configuration.Port(AgentKey.portName, .descriptor(ends.guests)))
    let machine = try Machine(configuration, platform: platform)
    let guest = Guest(machine, platform, agent: try AgentConnection(ends.takeOurs(), key: key.bytes), options)
    try machine.start()
    ends.closeGuests(after: machine)
    return guest
  }

  /// What the guest's kernel has to have for an agent.
  package static let agentNeeds =
    "the kernel needs CONFIG_BLK_DEV_INITRD, CONFIG_PROC_FS, CONFIG_SYSFS, CONFIG_VIRTIO_MMIO and "
    + "CONFIG_VIRTIO_CONSOLE, built in or loaded by the initramfs's /init, and CONFIG_DMA_RESTRICTED_POOL where devices "
    + "are confined"

  /// Waits until the guest's agent answers.
  ///
  /// - Throws: ``GuestError`` where the machine ends before, or the time is over.
  public func waitForAgent(within limit: Duration = Guest.requestLimit) async throws(GuestError) {
    _ = try await request(.ping, [], "the start of the agent (\(Self.agentNeeds))", within: limit, answers: { _ in })
  }

  /// Ends the machine, if it has not ended, and waits for its end.
  @discardableResult
  public func stop() async -> Outcome {
    machine.stop()
    agent?.close()
    return await machine.outcome
  }

  /// How the machine ended; waits for it. Who asks wants to know, and no end is a surprise then.
  public var outcome: Outcome {
    get async {
      ending.withLock { $0.isAwaited = true }
      return await machine.outcome
    }
  }

  /// Whether somebody waits for the end, or has.
  package var endIsAwaited: Bool { ending.withLock { $0.isAwaited } }

  /// The console's last lines: all that have come, or will have where the machine has ended.
  package var lastWords: String {
    get async { await console.lastLines(ofWhole: false) }
  }

  /// Reads the kernel's log while that can be done, for who looks at it after the end.
  package func keepKernelLog() async {
    let log = try? await kernelLog(within: .seconds(10))
    ending.withLock { $0.kernelLog = log }
  }

  /// What ``keepKernelLog()`` has read.
  package var keptKernelLog: String? { ending.withLock { $0.kernelLog } }

  /// The initramfs of a configuration with more behind it.
  private static func memoryFile(_ configuration: Configuration, _ additions: [InitramfsArchive]) throws -> HeldFile {
    let own = try configuration.initramfs.map { try InputFile.read($0) } ?? []
    if let path = configuration.initramfs, !InitramfsArchive.canPrecede(own) {
      throw HostTree.Failure(
        .badInput,
        "'\(path)' is no initramfs: neither an archive of cpio's form newc nor compressed in a way that Linux knows"
      )
    }
    let padding = [UInt8](repeating: 0, count: (4 - own.count % 4) % 4)
    return HeldFile(try MemoryFile([own, padding] + additions.flatMap(\.complete)))
  }

  private final class HeldFile {
    let file: MemoryFile

    init(_ file: consuming MemoryFile) {
      self.file = file
    }
  }

  /// Both ends of the way to the agent.
  final class Ends: Sendable {
    let guests: Int32
    private let ours: Int32

    /// - Throws: where the host has no descriptor left.
    init() throws(HostError) {
      var (first, second): (Int32, Int32) = (-1, -1)
      // SAFETY: the variables hold for the call.
      let error = unsafe chost_stream_pair(&first, &second)
      guard error == 0 else {
        throw HostError("socketpair", errno: error, advice: HostError.tooManyDescriptors)
      }
      (ours, guests) = (first, second)
    }

    func takeOurs() -> OwnedDescriptor { OwnedDescriptor(owning: ours) }

    /// The machine has a copy of its own while it runs. Ours goes with it, so that the agent's end is seen here.
    func closeGuests(after machine: Machine) {
      Task {
        _ = await machine.outcome
        close(guests)
      }
    }
  }
}

extension Configuration {
  /// Adds a channel to the console device, which it makes where there is none.
  fileprivate mutating func addPort(_ port: Port) {
    for (index, device) in devices.enumerated() {
      guard case .console(var console) = device.kind else { continue }
      console.ports.append(port)
      devices[index].kind = .console(console)
      return
    }
    devices.append(Device(.console(.init(carriesConsole: false, ports: [port]))))
  }
}
