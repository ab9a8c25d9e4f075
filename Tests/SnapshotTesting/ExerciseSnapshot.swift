internal import Snapshot

/// Gives the readers of states and manifests any bytes, and looks that what has to hold does: what they take, they
/// write and take again, as the same.
public enum ExerciseSnapshot {
  /// A state with a field of each kind.
  struct State: Codable {
    struct Inner: Codable {
      var name: String?
      var flags: [Bool]
      var words: [UInt64]
    }

    enum Shape: Codable {
      case none
      case circle(Double)
      case pair(Int8, UInt16)
    }

    var number: UInt32
    var signed: Int64
    var bytes: [UInt8]
    var halves: [Int]
    var inner: [Inner?]
    var shapes: [Shape]
    var contiguous: ContiguousArray<UInt32>
    var nested: [[[UInt8]]]
  }

  /// - Parameter bytes: the first one says what the others are: a state, a manifest up to its checksum, or one as it
  ///   is.
  /// - Returns: whether they were taken.
  @discardableResult
  public static func run(_ bytes: [UInt8]) -> Bool {
    let content = Array(bytes.dropFirst())
    switch (bytes.first ?? 0) % 3 {
    case 0: return state(content)
    case 1: return manifest(SnapshotManifest.sealed(content))
    default: return manifest(content)
    }
  }

  private static func state(_ bytes: [UInt8]) -> Bool {
    guard let state = try? StateCoding.decode(State.self, from: bytes) else { return false }
    guard let first = try? StateCoding.encode(state) else {
      preconditionFailure("a state that was read is not written")
    }
    guard let again = try? StateCoding.decode(State.self, from: first), let second = try? StateCoding.encode(again)
    else { preconditionFailure("a state that was written is not read") }
    precondition(first == second, "a state is another one when it was written and read")
    return true
  }

  private static func manifest(_ text: [UInt8]) -> Bool {
    guard let manifest = try? SnapshotManifest(text: text) else { return false }
    guard let again = try? SnapshotManifest(text: manifest.text) else {
      preconditionFailure("a manifest that was written is not read")
    }
    precondition(again == manifest, "a manifest is another one when it was written and read")
    return true
  }

  /// What a snapshot has, whole and in part.
  public static var seeds: [[UInt8]] {
    var seeds: [[UInt8]] = []
    let inner = State.Inner(name: "a", flags: [true], words: [1, .max])
    let state = State(
      number: 7,
      signed: -300,
      bytes: [1, 2, 3],
      halves: [-1],
      inner: [inner, nil, .init(name: nil, flags: [], words: [])],
      shapes: [.none, .circle(0.5), .pair(-1, 2)],
      contiguous: [1, 500],
      nested: [[[1]], []]
    )
    if let bytes = try? StateCoding.encode(state) { seeds.append([0] + bytes) }
    var manifest = SnapshotManifest(
      apusVersion: "1",
      created: 1,
      machine: .init(name: "\u{1F600}", uuid: "0", cpus: 1, gic: 3),
      model: "host"
    )
    manifest.disks = [.init(device: "vda", path: "/d", size: 1, inode: 2, changeTime: -3, checksum: "4")]
    manifest.details = [.init("clock", "host")]
    manifest.memory = [
      .init(name: "ram", file: "ram.memory", start: 0, size: 8192, stored: 4096, isChanges: false)
    ]
    manifest.parts = [.init(name: "memory", file: "memory.state", length: 1, checksum: 2)]
    manifest.pageSize = 4096
    seeds.append([2] + manifest.text)
    // All but the last member, whose checksum is made for each input.
    seeds.append([1] + manifest.text.dropLast(SnapshotManifest.tailLength))
    return seeds
  }
}
