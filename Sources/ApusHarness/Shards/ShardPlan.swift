/// How the runs of a suite are divided: the same way on each machine that has the same names and the same history.
public struct ShardPlan: Sendable, Equatable {
  /// The names of each part, in the order of the names.
  public let parts: [[String]]
  /// What the division is known by, as 16 hexadecimal digits: another one for other names, another number of parts, or
  /// a history that divides otherwise.
  public let fingerprint: String

  /// Divides names so that all parts take about as long: the longest first, each to the part that has least.
  ///
  /// - Parameters:
  ///   - names: what there is to run, in any order, each once.
  ///   - count: the number of parts.
  ///   - history: how long runs took at another time, in nanoseconds. A new one is taken for as long as the one in the
  ///     middle of those that are known.
  /// - Throws: where a name is there twice, or there cannot be so many parts.
  public init(_ names: [String], count: Int, history: [String: UInt64] = [:]) throws(ShardError) {
    _ = try Shard(1, of: count)
    let sorted = names.sorted(by: Self.isBefore)
    if let twice = zip(sorted, sorted.dropFirst()).first(where: { $0 == $1 }) {
      throw ShardError("'\(twice.0)' is there twice; the runs of a suite have different names")
    }
    let known = sorted.compactMap { history[$0] }.sorted()
    let usual = known.isEmpty ? 1 : max(1, known[(known.count - 1) / 2])
    // A part takes no more than a century.
    let runs = sorted.map { (name: $0, duration: min(max(1, history[$0] ?? usual), 1 << 61 / UInt64(names.count + 1))) }
    var loads = [UInt64](repeating: 0, count: count)
    var parts = [[String]](repeating: [], count: count)
    // The order of equals is the names', since that sort keeps it.
    for run in runs.enumerated().sorted(by: { ($1.element.duration, $0.offset) < ($0.element.duration, $1.offset) }) {
      var least = 0
      for part in 1..<count where loads[part] < loads[least] { least = part }
      loads[least] += run.element.duration
      parts[least].append(run.element.name)
    }
    self.parts = parts.map { $0.sorted(by: Self.isBefore) }
    fingerprint = Self.fingerprint(self.parts)
  }

  /// The part of a machine, with what its report says of it.
  public subscript(shard: Shard) -> ShardRecord {
    precondition(shard.count == parts.count, "the shard is of another division")
    return ShardRecord(
      shard: shard,
      fingerprint: fingerprint,
      items: parts[shard.index - 1],
      total: parts.reduce(0) { $0 + $1.count }
    )
  }

  /// By bytes: other orders differ between versions of Unicode.
  private static func isBefore(_ one: String, _ other: String) -> Bool {
    one.utf8.lexicographicallyPrecedes(other.utf8)
  }

  /// FNV-1a, 64 bits, of all names with what divides them.
  private static func fingerprint(_ parts: [[String]]) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    for part in parts {
      for name in part {
        for byte in name.utf8 { add(byte) }
        add(0x0A)
      }
      add(0)
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }
}

extension TestReport {
  /// How long each run took, by its name, in nanoseconds: the history for another division.
  public var durations: [String: UInt64] {
    var durations: [String: UInt64] = [:]
    for run in runs { durations[run.name] = run.duration }
    return durations
  }
}
