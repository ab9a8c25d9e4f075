import QEMUTesting
import Testing

@Suite struct RandomWordsTests {
  @Test func whateverComesIsReadOrRefusedAndKeepsWhatTheReadersPromise() {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    func random(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
    for round in 0..<4000 {
      var bytes = ExerciseQEMUSyntax.seeds[round % ExerciseQEMUSyntax.seeds.count]
      for _ in 0..<random(8) {
        let place = random(bytes.count)
        switch random(3) {
        case 0: bytes[place] = Array("{}[],=\"\\\n-a0".utf8)[random(12)]
        case 1: bytes.insert(UInt8(random(256)), at: place)
        default: bytes.remove(at: place)
        }
        if bytes.isEmpty { bytes = [UInt8(random(256))] }
      }

      ExerciseQEMUSyntax.run(bytes)
    }
  }
}
