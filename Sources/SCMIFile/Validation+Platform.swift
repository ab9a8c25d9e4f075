internal import SCMI

/// Versions, bounds and relations between resources.
extension Validator {
  mutating func versions() {
    for identifier in ProtocolIdentifier.allCases {
      guard let version = definition.versions[identifier] else { continue }
      let existing = MessageSet.versions(identifier)
      expect(
        existing.contains(version),
        "/versions/\(identifier.name)",
        "\(version) does not exist; expected one of \(existing.map(\.description).joined(separator: ", "))"
          + " (a rule with versionLie claims any)"
      )
    }
  }

  /// What an agent may set has to be a part of what there is.
  mutating func bounds(_ selection: ResourceSelection, _ path: String) {
    guard selection.minimum != nil || selection.maximum != nil else { return }
    let (minimum, maximum) = (selection.minimum ?? .min, selection.maximum ?? .max)
    guard minimum <= maximum else {
      return fail(path + "/minimum", "\(minimum) is above the maximum, \(maximum)")
    }
    let name = selection.resource
    guard exists(name) else { return }
    guard let values = values(of: name) else {
      return fail(path, "\(name.kind.name) have no bounds: nothing of theirs is set by a number")
    }
    guard !values.isInvalid else { return }
    expect(
      values.hasOne(from: minimum, to: maximum),
      path,
      "\(name) has no value from \(selection.minimum.map(String.init) ?? "its lowest") to "
        + (selection.maximum.map(String.init) ?? "its highest")
    )
  }

  // MARK: - Relations that must not lead back

  /// Clocks by the parents that they begin with, and power caps by theirs: Linux follows both without a limit.
  mutating func cycles() {
    var places: [String: Int] = [:]
    for (index, clock) in definition.clocks.enumerated() where places[clock.name] == nil { places[clock.name] = index }
    let clocks = definition.clocks.map { clock in (clock.parent ?? clock.parents.first).flatMap { places[$0] } }
    for cycle in Relation.cycles(clocks) {
      let names = Relation.told(cycle).map { $0.map { "\"\(definition.clocks[$0].name)\"" } ?? "…" }
      let key = definition.clocks[cycle[0]].parent == nil ? "parents/0" : "parent"
      fail("/clocks/\(cycle[0])/\(key)", "the clocks' parents lead back: \(names.joined(separator: " → "))")
    }
    places = [:]
    for (index, cap) in definition.powercaps.enumerated() where places[cap.name] == nil { places[cap.name] = index }
    let powercaps = definition.powercaps.map { $0.parent.flatMap { places[$0] } }
    for cycle in Relation.cycles(powercaps) {
      let names = Relation.told(cycle).map { $0.map { "\"\(definition.powercaps[$0].name)\"" } ?? "…" }
      fail("/powercaps/\(cycle[0])/parent", "the power caps' parents lead back: \(names.joined(separator: " → "))")
    }
  }
}

/// Things of which each has at most one successor.
enum Relation {
  /// A cycle as a message tells of it: back to its beginning, and of a long one the ends, with `nil` between them.
  static func told(_ cycle: [Int]) -> [Int?] {
    let whole: [Int?] = cycle + [cycle[0]]
    return whole.count <= 12 ? whole : whole.prefix(6) + [nil] + whole.suffix(5)
  }

  /// Every cycle, as places in order, beginning with its lowest.
  static func cycles(_ next: [Int?]) -> [[Int]] {
    // 0 is not seen yet; otherwise the walk that saw it.
    var walk = [Int](repeating: 0, count: next.count)
    var cycles: [[Int]] = []
    for start in next.indices where walk[start] == 0 {
      var place = start
      while walk[place] == 0 {
        walk[place] = start + 1
        guard let successor = next[place] else { break }
        place = successor
      }
      guard walk[place] == start + 1, next[place] != nil else { continue }
      var cycle = [place]
      while let successor = next[cycle[cycle.count - 1]], successor != place { cycle.append(successor) }
      let lowest = cycle.indices.min { cycle[$0] < cycle[$1] } ?? 0
      cycles.append(Array(cycle[lowest...] + cycle[..<lowest]))
    }
    return cycles
  }
}

extension Validator {
  /// What an existing resource can be set to.
  func values(of name: ResourceName) -> ResourceValues? {
    place(name).flatMap { definition.values(name.kind, at: $0) }
  }
}
