import GunyahTesting
import TestSupport
import Testing

@Suite("The hypervisor's objects beside their models")
struct ExerciseObjectsTests {
  @Test("what machines do with the objects does the same to their models")
  func seedsAgree() {
    for seed in ExerciseObjects.seeds { ExerciseObjects.run(seed) }
  }

  /// About 250,000 steps.
  @Test("whatever machines do with the objects does the same to their models", arguments: 0..<8)
  func randomStepsAgree(seed: Int) {
    var generator = SplitMix64(seed: UInt64(seed))

    for _ in 0..<Effort.cases(120) {
      var program = (0..<1500).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
      program[0] = UInt8(seed) % ExerciseObjects.kindCount
      // Shallow queues of short messages and small tables: full and empty ones are where things happen.
      program[1] %= 6
      ExerciseObjects.run(program)
    }
  }
}
