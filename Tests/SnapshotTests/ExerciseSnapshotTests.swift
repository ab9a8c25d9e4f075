import SnapshotTesting
import TestSupport
import Testing

/// What fuzzing does, from its seeds.
@Suite struct ExerciseSnapshotTests {
  @Test func everySeedIsTaken() {
    for seed in ExerciseSnapshot.seeds { #expect(ExerciseSnapshot.run(seed)) }
  }

  @Test func damagedSeedsAreTakenOrRefused() throws {
    var random = SplitMix64(seed: 5)
    let seeds = ExerciseSnapshot.seeds

    for _ in 0..<Effort.cases(10_000) {
      var seed = try #require(seeds.randomElement(using: &random))
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        seed[Int.random(in: 1..<seed.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
      }
      ExerciseSnapshot.run(seed)
    }
  }
}
