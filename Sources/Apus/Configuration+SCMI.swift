import Host
import HostBackends
public import SCMI
internal import SCMIFile

extension Configuration.Device {
  /// An SCMI platform, to which the machine is an agent.
  public struct SCMI: Sendable {
    /// Where the platform is.
    public enum Source: Sendable {
      /// Made for this machine from a platform file.
      case file(path: String)
      /// One that other machines may use, too, as other agents.
      case shared(SharedPlatform)
    }

    /// Where the platform is.
    public var source: Source
    /// The agent's name; may be left out where the platform has one agent only.
    public var agent: String?

    /// The platform of a file.
    public init(path: String) {
      source = .file(path: path)
    }

    /// A platform that other machines may use, too.
    public init(_ platform: SharedPlatform, agent: String? = nil) {
      source = .shared(platform)
      self.agent = agent
    }
  }
}

extension Configuration.Device.SCMI: Equatable {
  public static func == (left: Self, right: Self) -> Bool {
    guard left.agent == right.agent else { return false }
    switch (left.source, right.source) {
    case (.file(let left), .file(let right)): return left == right
    case (.shared(let left), .shared(let right)): return left === right
    case (.file, .shared), (.shared, .file): return false
    }
  }
}

/// The platform of a machine, open.
struct SCMIPlace: Sendable {
  let platform: SharedPlatform
  /// The machine's place in the platform's definition.
  let agent: Int
}

extension Configuration {
  /// The machine's place on its platform, once the platform is open and where there is one.
  var scmiPlace: SCMIPlace? {
    for case .scmi(let scmi) in devices.map(\.kind) {
      if case .shared(let platform) = scmi.source, let agent = scmi.agentIndex(in: platform.definition) {
        return SCMIPlace(platform: platform, agent: agent)
      }
    }
    return nil
  }

  /// Opens the platform of a file.
  ///
  /// - Returns: the configuration with the platform instead of the file, and every mistake in file and agent; also
  ///   files that are used twice.
  func openingPlatform() -> (configuration: Configuration, problems: [ConfigurationError.Problem]) {
    var opened = self
    // As long as the platform's file is known.
    var problems = fileProblems
    for index in devices.indices {
      guard case .scmi(var scmi) = devices[index].kind else { continue }
      do throws(ConfigurationError) {
        try scmi.open()
        opened.devices[index].kind = .scmi(scmi)
      } catch {
        problems += error.problems
      }
    }
    return (opened, problems)
  }
}

extension Configuration.Device.SCMI {
  fileprivate mutating func open() throws(ConfigurationError) {
    let platform: SharedPlatform
    switch source {
    case .shared(let shared): platform = shared
    case .file(let path): platform = try Self.platform(path)
    }
    source = .shared(platform)
    guard agentIndex(in: platform.definition) == nil else { return }
    let names = platform.definition.agents.map(\.name).joined(separator: ", ")
    let message =
      agent.map { "--scmi agent=\($0): the platform's agents are \(names)" }
      ?? "--scmi …,agent=NAME: the platform has several agents; say which one the machine is: \(names)"
    throw ConfigurationError(problems: [.init(kind: .usage, message: message)])
  }

  private static func platform(_ path: String) throws(ConfigurationError) -> SharedPlatform {
    let json: [UInt8]
    do throws(InputFileError) {
      json = try InputFile.read(path)
    } catch {
      throw ConfigurationError(problems: [.init(kind: error.kind, message: "--scmi: \(error)")])
    }
    do {
      let platform = try SCMIPlatform(HostSensors().bind(try PlatformDefinition(json: json)))
      let start = HostClock.monotonic
      return SharedPlatform(platform) { HostClock.monotonic - start }
    } catch let error as PlatformFileError {
      throw ConfigurationError(
        problems: error.messages(for: path).map { .init(kind: .badInput, message: $0) }
      )
    } catch {
      throw ConfigurationError(problems: [.init(kind: .badInput, message: "\(path): \(error)")])
    }
  }

  /// - Returns: `nil` where no agent has that name, or none is named and there are several.
  fileprivate func agentIndex(in definition: PlatformDefinition) -> Int? {
    guard let agent else { return definition.agents.count == 1 ? 0 : nil }
    return definition.agents.firstIndex { $0.name == agent }
  }
}
