import GuestMemory
import Virtio

/// One of the pieces of a machine's state, under a name that no other piece has.
struct StatePart: Encodable, Sendable {
  let name: String
  let state: any VersionedState

  init(_ name: String, _ state: any VersionedState) {
    self.name = name
    self.state = state
  }

  func encode(to encoder: any Encoder) throws { try state.encodeVersioned(to: encoder) }
}

/// Why a machine's state cannot be taken, or does not fit: all of it at once, each with what to do.
struct MachineStateError: Error, CustomStringConvertible {
  let problems: [String]

  init(_ problems: [String]) {
    self.problems = problems
  }

  var description: String { problems.joined(separator: "\n") }
}

/// What a snapshot is to have beside what it always has.
struct SnapshotWishes: Sendable {
  /// Whether disks are known again by all that is on them, which takes as long as reading it takes, and not by the file
  /// and its last change.
  var hasDiskChecksums = false
  /// Whether a platform that others may be on, too, is in it.
  var keepsSharedPlatform = false
}

/// In what a machine that goes on from a snapshot may differ from the one that it was taken of.
struct RestoreWishes: Sendable {
  /// Whether disks may be others of the same size: whoever says so knows that they have the same on them.
  var acceptsOtherDisks = false
  /// Whether a shared platform becomes what the snapshot's was.
  var restoresSharedPlatform = false
}

/// Memory that a snapshot copies beside the RAM.
@safe
struct CopiedMemory: @unchecked Sendable {
  // SAFETY: @unchecked: an address, which whoever uses it has to know to be there still.

  /// `window-NAME` or `hotplug-NAME`.
  let name: String
  let range: GuestRange
  /// Where the first byte is in this process, as long as the boot lasts.
  let hostAddress: UnsafeMutableRawPointer
  /// The file in memory that it is, whole. Valid as long.
  let descriptor: Int32
  /// What of it the guest has, in bytes from its start, in order; the rest is nobody's.
  let runs: [Range<UInt64>]
}

/// The pieces of a state by their names, each of which is to be used.
struct StateParts {
  private var parts: [String: any VersionedState] = [:]
  private(set) var problems: [String] = []

  init(_ parts: [StatePart]) {
    for part in parts where self.parts.updateValue(part.state, forKey: part.name) != nil {
      problems.append("the snapshot has '\(part.name)' twice; it is damaged")
    }
  }

  /// The piece of that name, of the type that it has to have; nil where it is missing or another: that is noted.
  mutating func take<State: VersionedState>(_ name: String, as type: State.Type) -> State? {
    guard let state = takeAny(name) else { return nil }
    do throws(DeviceStateError) {
      return try State(kindOf: state)
    } catch {
      problems.append("\(name): \(error)")
      return nil
    }
  }

  /// The piece of that name; nil where it is missing, which is noted.
  mutating func takeAny(_ name: String) -> (any VersionedState)? {
    guard let state = parts.removeValue(forKey: name) else {
      problems.append("the snapshot lacks '\(name)'; it is damaged, or another machine's")
      return nil
    }
    return state
  }

  /// The piece of that name, where there is one.
  mutating func takeOptional(_ name: String) -> (any VersionedState)? { parts.removeValue(forKey: name) }

  /// Forgets the rest, about which nothing is to be said.
  mutating func forgetAll() { parts = [:] }

  /// Notes what nobody has taken.
  mutating func finish() {
    for name in parts.keys.sorted() {
      problems.append("the snapshot has '\(name)', which this machine has not; give the machine what it had")
    }
  }
}
