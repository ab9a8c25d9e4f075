public import Apus
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
  /// The definition of the guest's SCMI platform, or none.
  var platform: (@Sendable () throws -> PlatformDefinition)?
  /// Whether programs run in the guest by an agent.
  var hasAgent = true

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
  /// - Throws: nothing itself; what the paths throw fails the test whose machine is made.
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

  /// The same guest on an SCMI platform, which the test sees and changes as ``Guest/platform``.
  ///
  /// - Parameter definition: is called for each machine.
  /// - Throws: nothing itself; what the definition throws fails the test whose machine is made.
  public func scmi(_ definition: @escaping @Sendable () throws -> PlatformDefinition) -> GuestSetup {
    var setup = self
    setup.platform = definition
    return setup
  }

  /// The same guest on the SCMI platform of a file.
  ///
  /// - Parameter json: the text of a platform file (`Documentation/SCMIPlatformFile.md`).
  public func scmi(json: String) -> GuestSetup { scmi { try PlatformDefinition(json: json) } }

  /// The same guest without an agent: what its kernel and init print is all there is.
  public var withoutAgent: GuestSetup {
    var setup = self
    setup.hasAgent = false
    return setup
  }
}
