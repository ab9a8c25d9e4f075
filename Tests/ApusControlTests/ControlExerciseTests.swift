import ControlTesting
import Testing

/// What the fuzz targets begin with, and what they have found.
@Suite("Control exercises") struct ControlExerciseTests {
  @Test("Whatever clients send is answered once, within the limits of the protocol")
  func server() {
    let answers = ControlSeeds.server.map { ExerciseControl.run($0) }

    #expect(answers.allSatisfy { $0 > 0 })
  }

  @Test("Whatever a machine answers, the client's calls return or throw")
  func client() {
    let answers = ControlSeeds.client.map { ExerciseControlClient.run($0) }

    #expect(answers.contains { $0 > 0 } && answers.contains(0))
  }

  @Test("Words of each method are its parameters, and nothing that a machine answers acts upon a terminal")
  func words() {
    let areParameters = ControlSeeds.words.map { ExerciseControlWords.run($0) }

    #expect(areParameters.contains(true) && areParameters.contains(false))
  }
}
