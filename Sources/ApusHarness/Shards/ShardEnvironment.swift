/// The places that engines which run a job many times tell by environment variables.
public enum ShardEnvironment {
  /// A place that an engine tells.
  struct Place: Equatable {
    var engine: String
    /// From 0.
    var index: Int
    /// Nil where the engine doesn't tell how many there are.
    var count: Int?
  }

  /// The part that is asked for.
  ///
  /// What the caller says counts before any variable. Of two engines that differ none is taken: nobody knows which is
  /// inside the other. An engine that tells of one part only does not count.
  ///
  /// - Parameters:
  ///   - request: what is asked for.
  ///   - environment: names and values of variables.
  /// - Throws: where the environment tells no place, two, or one that cannot be.
  public static func shard(_ request: ShardRequest, in environment: [String: String]) throws(ShardError) -> Shard {
    let wanted: Int?
    switch request {
    case .shard(let shard): return shard
    case .count(let count): wanted = count
    case .automatic: wanted = nil
    }
    var places = try places(in: environment)
    if places.count > 1 { places = places.filter { $0.count != 1 } }
    guard let place = places.first else {
      throw ShardError("no engine that is known tells a place in the environment; give I/N, such as 1/4")
    }
    if let other = places.first(where: { $0.index != place.index || $0.count != place.count }) {
      throw ShardError(
        "\(place.engine) and \(other.engine) tell different places in the environment; give I/N, such as 1/4"
      )
    }
    if let count = place.count, let wanted, count != wanted {
      throw ShardError("/\(wanted) is asked for, and \(place.engine) has \(count) parts; give auto or /\(count)")
    }
    guard let count = place.count ?? wanted else {
      throw ShardError("\(place.engine) does not tell how many parts there are; give /N, such as /4")
    }
    guard place.index < count else {
      throw ShardError("\(place.engine) tells place \(place.index + 1) of \(count); give I/N, such as 1/\(count)")
    }
    return try Shard(place.index + 1, of: count)
  }

  static func places(in environment: [String: String]) throws(ShardError) -> [Place] {
    var places: [Place] = []
    func number(_ name: String) throws(ShardError) -> Int? {
      guard let text = environment[name], !text.isEmpty else { return nil }
      guard let number = ShardRequest.number(text) else { throw ShardError("\(name) is '\(text)', which is no number") }
      return number
    }
    func add(_ engine: String, _ index: String, _ count: String?, first: Int) throws(ShardError) {
      guard let index = try number(index) else { return }
      let count = try count.map { name throws(ShardError) in try number(name) } ?? nil
      guard index >= first else { throw ShardError("\(engine) tells place \(index), and its first is \(first)") }
      places.append(Place(engine: engine, index: index - first, count: count))
    }
    if let identifier = try number("SLURM_ARRAY_TASK_ID") {
      let first = try number("SLURM_ARRAY_TASK_MIN") ?? 0
      let step = max(1, try number("SLURM_ARRAY_TASK_STEP") ?? 1)
      guard identifier >= first, (identifier - first) % step == 0 else {
        throw ShardError("Slurm's array has gaps; give one without, such as 0-3, or I/N")
      }
      places.append(
        Place(engine: "Slurm", index: (identifier - first) / step, count: try number("SLURM_ARRAY_TASK_COUNT"))
      )
    }
    try add("Kubernetes", "JOB_COMPLETION_INDEX", nil, first: 0)
    try add("GitLab", "CI_NODE_INDEX", "CI_NODE_TOTAL", first: 1)
    try add("Buildkite", "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", first: 0)
    try add("CircleCI", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", first: 0)
    return places
  }
}
