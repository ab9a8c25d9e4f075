public import Apus
internal import Glibc
public import SCMI
internal import SCMIFile

/// What guest a test wants.
///
/// Made anew for each machine: what it reads (variables of the environment, files) is read when the machine is made, on
/// the host that runs it, and a mistake fails the test that wants it and no other one.
public struct GuestSetup: Sendable {
  /// What the machine is made from.
  public typealias Configure = @Sendable () async throws -> Configuration

  let configure: Configure
  /// The guest's SCMI platform, or none.
  var platform: (@Sendable () throws -> PlatformSource)?
  /// Which agent of the platform the guest is; it may be left out where there is one.
  var scmiAgent: String?
  /// Whether programs run in the guest by an agent.
  var hasAgent = true
  /// What the console says when the guest has begun, and how long that may take.
  var prompt: (text: String, limit: Duration)?

  /// Where the guest begins.
  var origin = Origin.boot

  /// Where a guest begins.
  enum Origin {
    case boot
    /// From a snapshot that somebody has written.
    case snapshot(@Sendable () throws -> MachineSnapshot)
    /// From one of the guest of that name, which this process boots.
    case bootedOnce(name: String)
  }

  /// Where a platform comes from.
  enum PlatformSource {
    case new(PlatformDefinition)
    case running(SharedPlatform)
  }

  private init(_ configure: @escaping Configure) {
    self.configure = configure
  }

  /// A guest of any configuration, whose console is `.stream`, the default.
  public static func configuration(_ configure: @escaping Configure) -> GuestSetup { GuestSetup(configure) }

  /// A Linux guest. Without an init in its initramfs, and without an initramfs, the agent is the init.
  ///
  /// - Parameters:
  ///   - kernel: the path of an Image.
  ///   - initramfs: the path of an initramfs, or none.
  ///   - commandLine: goes behind `console=ttyAMA0 panic=-1`.
  ///   - cpus: how many vCPUs.
  ///   - memory: bytes of RAM, a multiple of 1 MiB.
  ///
  /// What the paths throw fails the test that wants the guest.
  public static func linux(
    kernel: @autoclosure @escaping @Sendable () throws -> String,
    initramfs: @autoclosure @escaping @Sendable () throws -> String? = nil,
    commandLine: String = "",
    cpus: Int = 1,
    memory: UInt64 = 256 << 20
  ) -> GuestSetup {
    GuestSetup {
      var configuration = Configuration(kernel: try kernel(), initramfs: try initramfs())
      configuration.commandLine = "console=ttyAMA0 panic=-1\(commandLine.isEmpty ? "" : " ")\(commandLine)"
      configuration.cpuCount = cpus
      configuration.memorySize = memory
      configuration.onReset = .stop
      return configuration
    }
  }

  /// A guest that goes on from a snapshot, as `Guest.snapshot(to:)` or `apus control NAME snapshot` has written it:
  /// each is a machine of its own, with an agent where that one had an agent.
  ///
  /// - Parameter directory: the snapshot's. What it throws fails the test that wants the guest.
  public static func restored(from directory: @autoclosure @escaping @Sendable () throws -> String) -> GuestSetup {
    let open: @Sendable () throws -> MachineSnapshot = { try MachineSnapshot(directory()) }
    var setup = GuestSetup { try open().configuration }
    setup.origin = .snapshot(open)
    return setup
  }

  /// The same guest, booted once for all tests of the process that say so by this name, and restored for each of them.
  /// What one test does to its guest no other one sees, nor what it does to the guest's SCMI platform: each test has a
  /// platform of its own, in the state that the guest's start left it in.
  ///
  /// The console, the transcript of the platform and what counts requests begin where the test does, behind the start.
  /// A guest on a platform that others share (`scmi(sharing:agent:)`) cannot be such a one.
  ///
  /// - Parameter name: of the guest: setups with the same name have to be the same.
  public func bootedOnce(as name: String) -> GuestSetup {
    var setup = self
    setup.origin = .bootedOnce(name: name)
    return setup
  }

  /// The path that a variable of the environment has, for kernels and file systems that are made outside of the tests.
  ///
  /// - Parameter name: the variable's. On the emulated host it is there where that was told to hand it on.
  /// - Throws: ``MissingVariable`` where it is not set, or empty.
  public static func path(inVariable name: String) throws(MissingVariable) -> String {
    // SAFETY: the texts hold for the calls, and nothing in a test changes the environment.
    guard let value = unsafe getenv(name).map({ unsafe String(cString: $0) }), !value.isEmpty else {
      throw MissingVariable(name: name)
    }
    return value
  }

  /// A variable of the environment that a guest needs and that is not set.
  public struct MissingVariable: Error, CustomStringConvertible {
    /// As it is looked for.
    public let name: String

    public var description: String {
      "the variable \(name) is not set, or not handed on to the host that the tests run on: set it to a file's path"
    }
  }

  /// The same guest, of which a test begins when its console has said something, such as a shell's prompt. All before
  /// it counts as read.
  ///
  /// The agent is there earlier: an init that mounts file systems and loads modules goes on beside it.
  ///
  /// - Parameters:
  ///   - text: what the console says.
  ///   - limit: how long that may take on a machine that has nothing else to do. Then the test has failed.
  public func ready(at text: String, within limit: Duration = .seconds(120)) -> GuestSetup {
    var setup = self
    setup.prompt = (text, limit)
    return setup
  }

  /// The same guest on an SCMI platform, which the test sees and changes as `Guest.platform`.
  ///
  /// - Parameters:
  ///   - agent: which of the platform's agents the guest is; nil where there is one.
  ///   - definition: is called for each machine; an error that it throws fails the test.
  public func scmi(
    agent: String? = nil,
    _ definition: @escaping @Sendable () throws -> PlatformDefinition
  ) -> GuestSetup {
    var setup = self
    setup.platform = { .new(try definition()) }
    setup.scmiAgent = agent
    return setup
  }

  /// The same guest on the SCMI platform of a file.
  ///
  /// - Parameters:
  ///   - json: the text of a platform file (`Documentation/SCMIPlatformFile.md`).
  ///   - agent: which of its agents the guest is; nil where there is one.
  public func scmi(json: String, agent: String? = nil) -> GuestSetup {
    scmi(agent: agent) { try PlatformDefinition(json: json) }
  }

  /// The same guest as one more agent of a platform, such as that of another guest.
  ///
  /// - Parameters:
  ///   - platform: that other guests are on.
  ///   - agent: which of its agents the guest is.
  public func scmi(sharing platform: SharedPlatform, agent: String) -> GuestSetup {
    var setup = self
    setup.platform = { .running(platform) }
    setup.scmiAgent = agent
    return setup
  }

  /// The same guest without an agent: what its kernel and init print is all there is.
  public var withoutAgent: GuestSetup {
    var setup = self
    setup.hasAgent = false
    return setup
  }
}

extension GuestSetup {
  /// The platform that the guest is on, or none.
  func makePlatform() throws -> SharedPlatform? {
    switch try platform?() {
    case nil: nil
    case .running(let platform): platform
    case .new(let definition): try SharedPlatform(startingNow: definition)
    }
  }

  /// What a test waits for on the console, which for a guest that was booted before has come.
  var promptOfTest: (text: String, limit: Duration)? {
    if case .bootedOnce = origin { nil } else { prompt }
  }

  /// Puts the machine on the setup's platform, where it has one.
  func addPlatform(to configuration: inout Configuration) {
    guard platform != nil, !configuration.isOnPlatform else { return }
    configuration.devices.append(.init(.scmi(.shared(agent: scmiAgent))))
  }
}

extension Configuration {
  /// Whether one of its devices is a place on an SCMI platform.
  var isOnPlatform: Bool { devices.contains { if case .scmi = $0.kind { true } else { false } } }
}
