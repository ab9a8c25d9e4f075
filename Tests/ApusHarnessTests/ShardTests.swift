import ApusHarness
import Testing

@Suite struct ShardTests {
  @Test func aRequestIsReadAndAnImpossibleOneRefused() throws {
    #expect(try ShardRequest("2/4") == .shard(Shard(2, of: 4)))
    #expect(try ShardRequest("/4") == .count(4))
    #expect(try ShardRequest("auto") == .automatic)
    for text in ["5/3", "0/3", "1/0", "x/y", "1", "", "/", "1/2/3", "-1/3", "+1/3", "1/999999", "99999999999/3"] {
      #expect(throws: ShardError.self) { try ShardRequest(text) }
    }
    #expect(throws: ShardError("there is no shard 5 of 3; give 1 to 3")) { try ShardRequest("5/3") }
  }

  private let engines: [(String, [String: String], ShardRequest)] = [
    (
      "2/4",
      [
        "SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "5", "SLURM_ARRAY_TASK_STEP": "2",
        "SLURM_ARRAY_TASK_COUNT": "4",
      ], .automatic
    ),
    ("4/4", ["SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "4"], .automatic),
    ("1/3", ["JOB_COMPLETION_INDEX": "0"], .count(3)),
    ("1/3", ["CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "3"], .automatic),
    ("3/3", ["BUILDKITE_PARALLEL_JOB": "2", "BUILDKITE_PARALLEL_JOB_COUNT": "3"], .automatic),
    ("2/3", ["CIRCLE_NODE_INDEX": "1", "CIRCLE_NODE_TOTAL": "3"], .automatic),
    (
      "2/3", ["CIRCLE_NODE_INDEX": "1", "CIRCLE_NODE_TOTAL": "3", "CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "1"],
      .automatic
    ),
  ]

  @Test func eachEngineTellsThePlace() throws {
    for (expected, environment, request) in engines {
      #expect(try ShardEnvironment.shard(request, in: environment).description == expected)
    }
    // What the caller says counts before.
    let shard = try Shard(3, of: 9)
    #expect(try ShardEnvironment.shard(.shard(shard), in: ["CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "3"]) == shard)
  }

  @Test(arguments: [
    [:], ["JOB_COMPLETION_INDEX": "0"], ["CI_NODE_INDEX": "0", "CI_NODE_TOTAL": "3"],
    ["CI_NODE_INDEX": "x", "CI_NODE_TOTAL": "3"], ["CI_NODE_INDEX": "4", "CI_NODE_TOTAL": "3"],
    ["CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "3", "CIRCLE_NODE_INDEX": "1", "CIRCLE_NODE_TOTAL": "3"],
    ["SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "3"],
  ])
  func noPlaceTwoOrAnImpossibleOneAreRefused(environment: [String: String]) {
    #expect(throws: ShardError.self) { try ShardEnvironment.shard(.automatic, in: environment) }
  }

  @Test func aDivisionDependsOnNoOrderAndHasEachOnce() throws {
    let names = (0..<50).map { "run \($0)" }

    let plan = try ShardPlan(names, count: 7)

    #expect(try ShardPlan(names.reversed(), count: 7) == plan)
    #expect(plan.parts.joined().sorted() == names.sorted())
    #expect(plan.parts.map(\.count).allSatisfy { (7...8).contains($0) })
    #expect(try ShardPlan(names, count: 8).fingerprint != plan.fingerprint)
    #expect(try ShardPlan(names + ["x"], count: 7).fingerprint != plan.fingerprint)
  }

  @Test func aHistoryMakesPartsThatTakeAsLong() throws {
    let history: [String: UInt64] = ["a": 100, "b": 50, "c": 40, "d": 10]

    #expect(try ShardPlan(["a", "b", "c", "d"], count: 2, history: history).parts == [["a"], ["b", "c", "d"]])
    // A new one counts as 40.
    #expect(try ShardPlan(["a", "b", "c", "d", "new"], count: 2, history: history).parts.map(\.count) == [2, 3])
    #expect(try ShardPlan(["a", "b"], count: 2, history: ["a": .max, "b": .max]).parts == [["a"], ["b"]])
  }

  @Test func aNameThatIsThereTwiceIsRefused() {
    #expect(throws: ShardError.self) { try ShardPlan(["a", "a"], count: 2) }
  }
}

@Suite struct ReportMergeTests {
  private func part(_ index: Int, of count: Int = 2, names: [String] = ["a", "b", "c"]) throws -> ReportMerge.Input {
    let record = try ShardPlan(names, count: count)[Shard(index, of: count)]
    let runs = record.items.map { TestRun(name: $0, results: [TestResult(name: "t", outcome: .passed)]) }
    return ReportMerge.Input(source: "\(index).json", report: TestReport(runs: runs, shard: record))
  }

  @Test func allPartsMakeAPass() throws {
    let merged = try ReportMerge.merge([part(2), part(1)], expected: 2)

    #expect(merged.runs.map(\.name) == ["a", "c", "b"])
    #expect(merged.verdict == .passed)
  }

  @Test func aPartThatNeverReportedIsAFailure() throws {
    let merged = try ReportMerge.merge([part(2)])

    #expect(merged.failures == ["shard 1/2 never reported", "2 of 3 runs are in shards that never reported"])
    #expect(merged.verdict == .failed)
  }

  @Test func aRunThatItsPartDidNotReportIsAFailure() throws {
    var first = try part(1)
    first.report.runs.removeLast()

    #expect(try ReportMerge.merge([first, part(2)]).failures == ["'c' of shard 1/2 never reported"])
  }

  @Test func partsThatDoNotBelongTogetherAreRefused() throws {
    let inputs = [
      [try part(1), try part(1)], [try part(1), try part(2, of: 3)],
      [try part(1), try part(2, names: ["a", "x", "c"])],
      [try part(1), ReportMerge.Input(source: "x", report: TestReport())],
    ]
    for reports in inputs {
      #expect(throws: ReportMerge.Mismatch.self) { try ReportMerge.merge(reports) }
    }
    #expect(throws: ReportMerge.Mismatch.self) { try ReportMerge.merge([part(1), part(2)], expected: 3) }
  }

  private func whole(_ run: String, from source: String) -> ReportMerge.Input {
    let results = [TestResult(name: "t", outcome: .passed)]
    return ReportMerge.Input(source: source, report: TestReport(runs: [TestRun(name: run, results: results)]))
  }

  @Test func reportsWithoutPartsAreCounted() throws {
    let (one, other) = (whole("a", from: "x"), whole("b", from: "y"))

    #expect(try ReportMerge.merge([one, other], expected: 2).verdict == .passed)
    #expect(try ReportMerge.merge([one], expected: 2).verdict == .failed)
  }

  @Test func aRunOfTwoReportsWithoutPartsIsRefused() throws {
    let (one, other) = (whole("a", from: "x"), whole("a", from: "y"))

    let mismatch = #expect(throws: ReportMerge.Mismatch.self) { try ReportMerge.merge([one, other]) }

    #expect(mismatch?.messages == ["'x' and 'y' both have the run 'a'"])
  }
}
