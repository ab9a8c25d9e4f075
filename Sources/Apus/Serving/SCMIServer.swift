import Host
import HostBackends
public import Logging
import SCMI
internal import SCMIFile
import VhostUser
import Virtio

/// An SCMI platform for the guests of other monitors: each of its sockets takes the vhost-user front-end of an SCMI
/// device, such as QEMU, whose guest is then one of the platform's agents.
///
/// All of them are on one platform, which is there as long as the server, whatever guests come and go. A signal SIGHUP
/// has the platform's file read again. Where it is good, a driver that starts from then on finds the new platform, from
/// its beginning; a driver that runs keeps the one that it has.
public final class SCMIServer {
  /// What is served, and where.
  public struct Configuration: Equatable, Sendable {
    /// One agent's socket.
    public struct Place: Equatable, Sendable {
      /// Where the socket is made, in at most 107 bytes.
      public var path: String
      /// The agent's name; may be left out where the platform has one agent only.
      public var agent: String?

      public init(path: String, agent: String? = nil) {
        self.path = path
        self.agent = agent
      }
    }

    /// The path of the platform file.
    public var platform: String
    /// The sockets, each of which is another agent's.
    public var places: [Place]
    /// The file that gets each message as a line of JSON; nil: none does.
    public var transcript: String?

    public init(platform: String, places: [Place], transcript: String? = nil) {
      self.platform = platform
      self.places = places
      self.transcript = transcript
    }
  }

  private let configuration: Configuration
  private let logger: Logger
  private let server: VhostUserServer
  private let signals: SignalDescriptor
  private let files = RunFiles()
  private let transcript: TranscriptFile?
  /// Those who serve the sockets, in their order.
  private var sources: [SCMIServerSource] = []
  private var current: ServedPlatform
  /// Whether somebody who closes a terminal would mean to end the server.
  private let hasTerminal: Bool

  /// Reads the platform's file and listens on all sockets. From then on SIGINT, SIGTERM and SIGHUP are for ``run()``.
  ///
  /// - Parameters:
  ///   - configuration: what is served where.
  ///   - logger: gets a line for each front-end that comes and goes.
  /// - Throws: ``SCMIServerError``: what is wrong with the configuration or the file, or why the host refuses.
  public init(_ configuration: Configuration, logger: Logger) throws(SCMIServerError) {
    self.configuration = configuration
    self.logger = logger
    hasTerminal = StandardStreams.errorsAreOnTerminal
    try Self.check(configuration)
    let platform = try Self.open(configuration.platform)
    let agents = try Self.agents(of: configuration, platform.definition)
    do {
      signals = try SignalDescriptor.stop()
      server = try VhostUserServer { line in logger.notice("\(line)") }
      let thread = server.deviceThread
      transcript = try configuration.transcript.map { [files] path in
        try TranscriptFile(path: path, files: files, logger: logger) { thread.post($0) }
      }
      current = try ServedPlatform(platform, transcript, server.loop)
      for (place, agent) in zip(configuration.places, agents) {
        let source = SCMIServerSource(agent: agent, current, server, logger)
        try server.open(place.path, source)
        sources.append(source)
        let name = platform.definition.agents[agent].name
        logger.notice("listening on '\(place.path)' for the front-end of agent \(name)")
      }
      files.keep()
    } catch {
      throw SCMIServerError(error)
    }
  }

  private static func check(_ configuration: Configuration) throws(SCMIServerError) {
    guard !configuration.places.isEmpty else { throw SCMIServerError(.usage, "give a socket for an agent") }
    try checkFiles(
      inputs: [("the platform file", configuration.platform)],
      outputs: configuration.transcript.map { [("the transcript", $0)] } ?? [],
      sockets: configuration.places.map(\.path)
    )
    for (index, place) in configuration.places.enumerated() {
      let earlier = configuration.places[..<index]
      if place.agent != nil, earlier.contains(where: { $0.agent == place.agent }) {
        throw SCMIServerError(.usage, "agent \(place.agent ?? "") has two sockets; give it one")
      }
    }
  }

  /// Sees to it that nothing is written over what is read, or twice to one file, under whatever names.
  ///
  /// - Parameters:
  ///   - inputs: what each is, for people, and its path.
  ///   - outputs: the same.
  ///   - sockets: their paths.
  /// - Throws: ``SCMIServerError`` for the first output or socket that is something else, too.
  package static func checkFiles(
    inputs: [(what: String, path: String)],
    outputs: [(what: String, path: String)],
    sockets: [String] = []
  ) throws(SCMIServerError) {
    var taken = inputs
    for (what, path) in outputs + sockets.map({ ("an agent's socket", $0) }) {
      if let identity = FileIdentity(path), let other = taken.first(where: { FileIdentity($0.path) == identity }) {
        throw SCMIServerError(.usage, "'\(path)' cannot be \(what): it is \(other.what) already; name another one")
      }
      taken.append((what, path))
    }
  }

  static func open(_ path: String) throws(SCMIServerError) -> SharedPlatform {
    do throws(ConfigurationError) {
      return try ServedPlatform.open(path)
    } catch {
      throw SCMIServerError(error)
    }
  }

  /// Which agent each socket is for.
  static func agents(
    of configuration: Configuration,
    _ definition: PlatformDefinition
  ) throws(SCMIServerError) -> [Int] {
    let names = definition.agents.map(\.name)
    var agents: [Int] = []
    for place in configuration.places {
      if let name = place.agent {
        guard let agent = names.firstIndex(of: name) else {
          throw SCMIServerError(.usage, "the platform has no agent '\(name)'; it has \(names.joined(separator: ", "))")
        }
        agents.append(agent)
      } else {
        guard names.count == 1, configuration.places.count == 1 else {
          let list = names.joined(separator: ", ")
          throw SCMIServerError(.usage, "the platform's agents are \(list): say which one each socket is for")
        }
        agents.append(0)
      }
    }
    return agents
  }

  /// Serves until SIGINT or SIGTERM comes. Sockets go at its end, and the transcript is whole.
  ///
  /// - Throws: ``SCMIServerError`` where the host fails.
  public func run() throws(SCMIServerError) {
    // No front-end waits for who reads the log.
    StandardStreams.stopWaitingForErrors()
    defer { StandardStreams.finishErrors(within: .seconds(1)) }
    do {
      _ = try server.loop.add(
        signals.rawValue,
        EventLoop.readable,
        ClosureHandler { [unowned self] _ in takeSignal() }
      )
      try server.run()
    } catch {
      throw SCMIServerError(error)
    }
    current.close()
    for source in sources { source.platform.close() }
    transcript?.finish(by: HostClock.monotonic + 1_000_000_000) { false }
  }

  /// Ends ``run()``. From any thread.
  public func stop() { server.stop() }

  private func takeSignal() {
    guard let signal = signals.take() else { return }
    // Of a terminal that is closed the shell's programs hear by the same signal.
    if SignalDescriptor.isHangUp(signal), !(hasTerminal && StandardStreams.errorsHaveHungUp) { return reload() }
    server.loop.stop()
  }

  private func reload() {
    do throws(SCMIServerError) {
      guard configuration.platform != "-" else {
        throw SCMIServerError(.usage, "standard input cannot be read again; give the platform file's path")
      }
      let platform = try Self.open(configuration.platform)
      let agents = try Self.agents(of: configuration, platform.definition)
      let served: ServedPlatform
      do {
        served = try ServedPlatform(platform, transcript, server.loop)
      } catch {
        throw SCMIServerError(error)
      }
      current.isCurrent = false
      current = served
      for (source, agent) in zip(sources, agents) { source.follow(served, agent: agent) }
      logger.notice("'\(configuration.platform)' is read again: drivers that start from now on find it so")
    } catch {
      for message in error.messages { logger.error("\(message)") }
      logger.error("the platform stays as it was")
    }
  }
}

/// Why an SCMI platform cannot be served.
public struct SCMIServerError: Error, CustomStringConvertible {
  /// What kind of failure it is.
  public let kind: FailureKind
  /// A line for each thing that is wrong, with what to do about it.
  public let messages: [String]

  init(_ kind: FailureKind, _ messages: String...) {
    self.kind = kind
    self.messages = messages
  }

  init(_ error: any Error) {
    switch error {
    case let error as SCMIServerError: self = error
    case let error as ListeningError: self.init(error.kind, error.description)
    case let error as OutputFileError: self.init(FailureKind(rawValue: error.exitStatus) ?? .cannotCreate, "\(error)")
    default: self.init(.hostFailure, "\(error)")
    }
  }

  fileprivate init(_ error: ConfigurationError) {
    kind = error.problems.first?.kind ?? .badInput
    messages = error.problems.map { "\($0.reason)" }
  }

  /// All of them.
  public var description: String { messages.joined(separator: "\n") }
}
