import Host
import HostBackends
import SCMI
internal import SCMIFile

extension Configuration.Device {
  /// A place on an SCMI platform: the machine is one of its agents.
  public struct SCMI: Equatable, Sendable {
    /// Where the platform is.
    public enum Source: Equatable, Sendable {
      /// Made for this machine from a platform file.
      case file(path: String)
      /// The platform that ``Machine/init(_:platform:logger:)`` is given, which other machines may use, too, as other
      /// agents.
      case shared
    }

    /// The properties, by their names.
    public enum Property: String, CaseIterable, Sendable {
      case source
      case agent
    }

    /// Where the platform is.
    public var source: Source
    /// The agent's name; may be left out where the platform has one agent only.
    public var agent: String?

    /// An agent of the platform of a file.
    public init(path: String, agent: String? = nil) {
      self.init(source: .file(path: path), agent: agent)
    }

    /// An agent of a platform.
    public init(source: Source, agent: String? = nil) {
      self.source = source
      self.agent = agent
    }

    /// An agent of the platform that the machine is given.
    public static func shared(agent: String? = nil) -> SCMI {
      SCMI(source: .shared, agent: agent)
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
  /// The number of the device that is on a platform, where there is one.
  var scmiDevice: Int? {
    devices.firstIndex { if case .scmi = $0.kind { true } else { false } }
  }

  /// Opens the platform of a file, or takes the shared one.
  ///
  /// - Parameters:
  ///   - shared: the platform that several machines share, or nil.
  ///   - problems: gets every mistake in the platform's file and the agent.
  /// - Returns: the machine's place on its platform; nil where it is on none, or there are mistakes.
  func openPlatform(_ shared: SharedPlatform?, _ problems: inout [ConfigurationError.Problem]) -> SCMIPlace? {
    var place: SCMIPlace?
    for (index, device) in devices.enumerated() {
      guard case .scmi(let scmi) = device.kind else { continue }
      do throws(ConfigurationError) {
        place = try scmi.open(on: shared, device: index)
      } catch {
        problems += error.problems
      }
    }
    return place
  }
}

extension Configuration.Device.SCMI {
  fileprivate func open(on shared: SharedPlatform?, device: Int) throws(ConfigurationError) -> SCMIPlace {
    let place = Configuration.Path.device(device, .scmi(.source))
    let platform: SharedPlatform
    switch source {
    case .shared:
      guard let shared else {
        throw ConfigurationError(.usage, place, "the platform is a shared one; give it beside the configuration")
      }
      platform = shared
    case .file(let path): platform = try Self.platform(path, place)
    }
    if let index = agentIndex(in: platform.definition) { return SCMIPlace(platform: platform, agent: index) }
    let names = platform.definition.agents.map(\.name).joined(separator: ", ")
    throw ConfigurationError(
      .usage,
      .device(device, .scmi(.agent)),
      agent == nil
        ? "the platform has several agents; say which one the machine is: \(names)"
        : "the platform's agents are \(names)"
    )
  }

  private static func platform(
    _ path: String,
    _ place: Configuration.Path
  ) throws(ConfigurationError) -> SharedPlatform {
    let json: [UInt8]
    do throws(InputFileError) {
      json = try InputFile.read(path)
    } catch {
      throw ConfigurationError(error.kind, place, .init(error))
    }
    do {
      let platform = try SCMIPlatform(HostSensors().bind(try PlatformDefinition(json: json)))
      let start = HostClock.monotonic
      return SharedPlatform(platform) { HostClock.monotonic - start }
    } catch let error as PlatformFileError {
      throw ConfigurationError(
        problems: error.messages(for: path).map { .init(.badInput, place, .init($0)) }
      )
    } catch {
      throw ConfigurationError(.badInput, place, .init("\(path): \(error)"))
    }
  }

  /// - Returns: `nil` where no agent has that name, or none is named and there are several.
  fileprivate func agentIndex(in definition: PlatformDefinition) -> Int? {
    guard let agent else { return definition.agents.count == 1 ? 0 : nil }
    return definition.agents.firstIndex { $0.name == agent }
  }
}

extension Configuration.Device.SCMI: Codable {
  /// - Throws: `DecodingError` where the source is missing, and for an unknown key.
  public init(from decoder: any Decoder) throws {
    let object = try CodedObject(decoder, keys: Property.allCases.map(\.rawValue))
    self.init(source: try object.value("source"))
    try object.read("agent", into: &agent)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodedKey.self)
    try container.encode(source, forKey: "source")
    try container.encodeIfPresent(agent, forKey: "agent")
  }
}

extension Configuration.Device.SCMI.Source: Codable {
  /// - Throws: `DecodingError` for an unknown case, and for a file without a path.
  public init(from decoder: any Decoder) throws {
    let coded = try CodedCase(decoder, names: ["file", "shared"])
    guard coded.name == "file" else {
      _ = try coded.values()
      self = .shared
      return
    }
    self = .file(path: try coded.values(["path"]).value("path"))
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .file(let path): try encoder.encode(case: "file") { try $0.encode(path, forKey: "path") }
    case .shared: try encoder.encode(case: "shared")
    }
  }
}
