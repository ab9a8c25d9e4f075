import CPUModel
import GuestMemory
import Host
import KVM
import Snapshot
import Virtio

/// A machine as files, from which others go on: opened, and checked as far as that takes no reading of its memory.
///
/// Its directory is locked as long as the object or a machine that was made from it lives, so that no other Apus
/// replaces it. What is in it and what is not: Documentation/Snapshots.md.
public final class MachineSnapshot: Sendable {
  /// How machines go on from a snapshot.
  public struct Options: Sendable {
    /// Whether the machine is one of its own, which others may be beside: with an identity that is drawn for it, and
    /// the guest told (`vmgenid`), where it can be.
    public var isClone = false
    /// What the guest's virtual counter does.
    public var clock = Clock.continued
    /// Whether its disks may be other files of the same size: for whoever has made copies of them, say.
    public var acceptsOtherDisks = false
    /// Whether the shared SCMI platform that the machine is given becomes what that of the snapshot was, with all of
    /// its agents. It has to have been kept (``SnapshotOptions/keepsSharedPlatform``), and nobody else to be on this
    /// one.
    package var restoresPlatform = false

    /// The same machine, whose time goes on where it stood.
    public init() {}
  }

  /// What the guest's virtual counter does, from which an operating system has its monotonic time. The wall clock is
  /// the host's in any case, where the guest looks at it.
  public enum Clock: String, Sendable {
    /// It goes on where it stood, as after a pause.
    case continued
    /// It has gone on meanwhile, by the host's wall clock.
    case host
  }

  /// A piece of the state of peripherals or devices.
  struct Piece: Codable, Sendable {
    var name: String
    var bytes: [UInt8]
  }

  /// The names of the parts of a snapshot of a machine.
  enum PartName {
    static let configuration = "configuration"
    static let processors = "processors"
    static let devices = "devices"
  }

  /// The names of its memory.
  enum MemoryName {
    static let ram = "ram"
  }

  /// The directory, as it was given.
  public let directory: String
  /// 32 hexadecimal digits, by which differentials know it.
  public var identifier: String { "\(chain.newest.manifest.identifier)" }
  /// What the owner of the machine has kept with it.
  public var notes: [String: String] {
    var notes: [String: String] = [:]
    for detail in chain.newest.manifest.details { notes[detail.name] = detail.value }
    return notes
  }
  /// What the machine was made from, without what belongs to that process alone: its control socket, debugger, time
  /// limit, transcript and dumps. The console is ``Configuration/Console/none``.
  public let configuration: Configuration
  let chain: SnapshotChain
  let processors: ProcessorsState
  let pieces: [Piece]

  /// Opens a snapshot.
  ///
  /// - Parameter directory: where ``Machine/snapshot(to:_:)`` or `apus control NAME snapshot` has written it.
  /// - Throws: ``SnapshotRefusal`` for one that is damaged, incomplete, of another format or not there.
  public init(_ directory: String) throws(SnapshotRefusal) {
    let opened: Opened
    do throws(SnapshotError) {
      opened = try Opened(directory)
    } catch {
      throw SnapshotRefusal(error)
    }
    chain = opened.chain
    configuration = opened.configuration
    processors = opened.processors
    pieces = opened.pieces
    self.directory = directory
  }

  /// What was read and checked.
  private struct Opened {
    let chain: SnapshotChain
    let configuration: Configuration
    let processors: ProcessorsState
    let pieces: [Piece]

    init(_ directory: String) throws(SnapshotError) {
      chain = try SnapshotChain(directory)
      let newest = chain.newest
      configuration = try newest.state(Configuration.self, PartName.configuration)
      processors = try newest.state(Versioned<ProcessorsState>.self, PartName.processors).state
      pieces = try newest.state([Piece].self, PartName.devices)
      try check(directory)
    }

    private func check(_ directory: String) throws(SnapshotError) {
      func damaged(_ what: String) -> SnapshotError {
        .damaged(path: directory, file: "\(PartName.processors).state", what: what)
      }
      guard processors.processors.count == configuration.cpuCount,
        processors.interrupts.cpuCount == configuration.cpuCount,
        2...3 ~= processors.interrupts.version
      else { throw damaged("it is of another machine than the configuration") }
      guard Contract.knownVersions.contains(processors.contract) else {
        throw .damaged(
          path: directory,
          file: "\(PartName.processors).state",
          what: "it has contract \(processors.contract), and this Apus knows \(Contract.knownVersions)"
        )
      }
      guard let ram = chain.memory(MemoryName.ram), ram.description.size == configuration.memorySize else {
        throw .damaged(path: directory, file: "manifest.json", what: "the memory is none of such a machine")
      }
    }
  }

  /// Removes the directory. What is open of it stays usable as long as the object lives.
  public func removeFiles() { chain.newest.removeDirectory() }

  /// Compares the checksums of all its memory, for which that is read. Those of all else are compared when it is
  /// opened.
  ///
  /// - Throws: ``SnapshotRefusal`` with each block that is not as it was written.
  public func verifyMemory() throws(SnapshotRefusal) {
    for member in chain.members {
      let damages: [MemoryDamage]
      do throws(SnapshotError) {
        damages = try member.damagedMemory()
      } catch {
        throw SnapshotRefusal(error)
      }
      guard damages.isEmpty else {
        throw SnapshotRefusal(damaged: member.path, damages.map { "\($0)" })
      }
    }
  }

  /// A configuration with the devices that it has none of from the snapshot: for a caller who gives only what is to be
  /// different.
  public func completed(_ wanted: Configuration) -> Configuration {
    var completed = wanted
    completed.devices = []
    var given = wanted.devices
    for device in configuration.devices {
      if let index = given.firstIndex(where: { $0.typeName == device.typeName }) {
        completed.devices.append(given.remove(at: index))
      } else {
        completed.devices.append(device)
      }
    }
    completed.devices += given
    return completed
  }

  /// What of a configuration is not what the guest was promised.
  func mismatches(with wanted: Configuration) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    func require(_ isRight: Bool, _ property: Configuration.Property, _ reason: ConfigurationError.Reason) {
      if !isRight { problems.append(.init(.badInput, .property(property), .init(predicate: reason))) }
    }
    let was = configuration
    require(wanted.cpuCount == was.cpuCount, .cpuCount, "is \(was.cpuCount) in the snapshot, not \(wanted.cpuCount)")
    require(
      wanted.memorySize == was.memorySize,
      .memorySize,
      "is \(was.memorySize >> 20)M in the snapshot, not \(wanted.memorySize >> 20)M"
    )
    let gic = Configuration.GIC(rawValue: "v\(processors.interrupts.version)") ?? .automatic
    require(
      wanted.gic == .automatic || wanted.gic == gic,
      .gic,
      "is another one than in the snapshot; use \(at: .property(.gic), gic.rawValue)"
    )
    require(
      wanted.cpuFeatures == was.cpuFeatures,
      .cpuFeatures,
      "are others in the snapshot; leave them as they are there"
    )
    require(
      wanted.cpuModel == was.cpuModel || wanted.knownModel == was.knownModel,
      .cpuModel,
      "is \(was.cpuModel) in the snapshot, not \(wanted.cpuModel)"
    )
    require(
      wanted.personality == was.personality,
      .personality,
      "is \(was.personality.rawValue) in the snapshot, not \(wanted.personality.rawValue)"
    )
    require(wanted.dma == was.dma, .dma, "is \(was.dma.name) in the snapshot, not \(wanted.dma.name)")
    let (types, former) = (wanted.devices.map(\.typeName), was.devices.map(\.typeName))
    require(
      types == former,
      .devices,
      "are \(Self.list(former)) in the snapshot, not \(Self.list(types)); give the same in the same order"
    )
    if types == former {
      require(
        wanted.windowNames == was.windowNames && wanted.windowSizes == was.windowSizes,
        .devices,
        "have other DMA windows than in the snapshot; give them the same windows and queues"
      )
      require(
        wanted.hotplugMemory.map(\.size) == was.hotplugMemory.map(\.size)
          && wanted.hotplugMemory.map(\.name) == was.hotplugMemory.map(\.name),
        .devices,
        "have other hot-plug memory than in the snapshot; give the same regions"
      )
    }
    return problems
  }

  private static func list(_ types: [String]) -> String { types.isEmpty ? "none" : types.joined(separator: ", ") }
}

/// Why a snapshot cannot be used.
public struct SnapshotRefusal: Error, Equatable, Sendable, CustomStringConvertible {
  /// What kind of failure it is, which has an exit status.
  public let kind: FailureKind
  /// What is wrong, and what to do about it.
  public let description: String

  init(damaged path: String, _ damages: [String]) {
    kind = .badInput
    description =
      "the memory of the snapshot '\(path)' is damaged: \(damages.joined(separator: "; ")); restore another one"
  }

  init(_ error: SnapshotError) {
    kind = error.kind
    description = error.description
  }
}
