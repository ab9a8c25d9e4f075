import CPUModelTesting
import TestSupport
import Testing

@Suite("Models and saved registers from any bytes")
struct RandomInputTests {
  @Test("seeds and what becomes of them by a few changed bytes is read or refused")
  func damagedSeeds() {
    var random = SplitMix64(seed: 7)
    for seed in ExerciseCPUModel.seeds {
      ExerciseCPUModel.run(seed)
      for _ in 0..<Effort.cases(400) {
        var input = seed
        for _ in 0..<3 { input[Int(random.next() % UInt64(input.count))] = UInt8(truncatingIfNeeded: random.next()) }
        ExerciseCPUModel.run(input)
        ExerciseCPUModel.run(input.prefix(Int(random.next() % UInt64(input.count))))
      }
    }
  }
}
