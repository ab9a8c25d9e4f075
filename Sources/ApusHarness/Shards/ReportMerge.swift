/// Joins the reports of a suite's parts.
public enum ReportMerge {
  /// A report with where it is from, for messages.
  public struct Input: Sendable {
    /// The path of its file, say.
    public var source: String
    /// What stands in it.
    public var report: TestReport

    public init(source: String, report: TestReport) {
      self.source = source
      self.report = report
    }
  }

  /// Why reports do not belong together.
  public struct Mismatch: Error, Equatable, Sendable, CustomStringConvertible {
    /// In words, a line to each.
    public var messages: [String]

    public var description: String { messages.joined(separator: "; ") }
  }

  /// One report of all runs. A part that never reported, and a run that its part did not report, are failures in it.
  ///
  /// - Parameters:
  ///   - inputs: the reports, in any order.
  ///   - expected: how many there should be; nil where the reports themselves say it, or nobody knows.
  /// - Throws: where a part is there twice, or reports are of different divisions.
  public static func merge(_ inputs: [Input], expected: Int? = nil) throws(Mismatch) -> TestReport {
    let parts = inputs.compactMap { input in input.report.shard.map { (source: input.source, record: $0) } }
    try check(inputs, parts.map { ($0.source, $0.record) }, expected)
    let order = inputs.sorted { ($0.report.shard?.shard.index ?? 0) < ($1.report.shard?.shard.index ?? 0) }
    var merged = TestReport()
    for input in order {
      merged.runs += input.report.runs
      merged.failures += input.report.failures
      merged.failOn = max(merged.failOn, input.report.failOn)
      if let record = input.report.shard { merged.failures += unreported(record, input) }
      if let duration = input.report.duration { merged.duration = max(merged.duration ?? 0, duration) }
    }
    merged.failures += missing(parts.map(\.record), inputs.count, expected)
    return merged
  }

  private static func check(_ inputs: [Input], _ parts: [(String, ShardRecord)], _ expected: Int?) throws(Mismatch) {
    var messages: [String] = []
    var seen: [Int: String] = [:]
    if parts.isEmpty {
      var sources: [String: String] = [:]
      for input in inputs {
        for run in input.report.runs {
          guard let former = sources.updateValue(input.source, forKey: run.name) else { continue }
          messages.append("'\(former)' and '\(input.source)' both have the run '\(run.name)'")
          break
        }
      }
    }
    if let (first, record) = parts.first {
      for (source, other) in parts {
        if let former = seen.updateValue(source, forKey: other.shard.index) {
          messages.append("'\(former)' and '\(source)' are both shard \(other.shard)")
        }
        if other.shard.count != record.shard.count {
          messages.append("'\(first)' is one of \(record.shard.count) shards, and '\(source)' of \(other.shard.count)")
        } else if other.fingerprint != record.fingerprint {
          messages.append("'\(first)' and '\(source)' are of different suites, or divided by different histories")
        }
      }
      for input in inputs where input.report.shard == nil {
        messages.append("'\(first)' is a shard, and '\(input.source)' is none")
      }
      if let expected, expected != record.shard.count {
        messages.append("\(expected) shards are expected, and '\(first)' is one of \(record.shard.count)")
      }
    } else if let expected, inputs.count > expected {
      messages.append("\(expected) reports are expected, and \(inputs.count) are given")
    }
    guard messages.isEmpty else { throw Mismatch(messages: messages) }
  }

  private static func unreported(_ record: ShardRecord, _ input: Input) -> [String] {
    let there = Set(input.report.runs.map(\.name))
    return record.items.filter { !there.contains($0) }
      .map { "'\($0)' of shard \(record.shard) never reported" }
  }

  private static func missing(_ records: [ShardRecord], _ count: Int, _ expected: Int?) -> [String] {
    guard let first = records.first else {
      guard let expected, count < expected else { return [] }
      return ["\(expected - count) of \(expected) reports are missing"]
    }
    let there = Set(records.map(\.shard.index))
    let absent = (1...first.shard.count).filter { !there.contains($0) }
    guard !absent.isEmpty else { return [] }
    let runs = max(0, first.total - records.reduce(0) { $0 + $1.items.count })
    let named = absent.prefix(20).map { "shard \($0)/\(first.shard.count) never reported" }
    let more = absent.count > named.count ? ["\(absent.count - named.count) more shards never reported"] : []
    return named + more + ["\(runs) of \(first.total) runs are in shards that never reported"]
  }
}
