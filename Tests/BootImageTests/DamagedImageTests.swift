import BootImage
import BootImageTesting
import GuestMemory
import TestSupport
import Testing

/// Repeats exactly, so that a failure does.
private struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return (state ^ state >> 33) &* 0xFF51_AFD7_ED55_8CCD
  }
}

@Suite struct DamagedImageTests {
  // Each of these checks what `exerciseBootImage` promises; a broken promise stops the process.

  @Test(arguments: sampleImages.indices)
  func anImageOfEveryLengthIsLoadedInBoundsOrRefused(index: Int) throws {
    let ram = try makeRAM()
    let sample = sampleImages[index]

    for length in stride(from: 0, to: sample.count, by: sample.count / Effort.cases(sample.count)) {
      exerciseBootImage([UInt8](sample[..<length]).span, in: ram)
    }

    #expect(inspectionFailure([UInt8](sample[..<1])) != nil)
  }

  @Test(arguments: sampleImages.indices)
  func anImageWithChangedBytesIsLoadedInBoundsOrRefused(index: Int) throws {
    let ram = try makeRAM()
    var generator = Generator(state: UInt64(index))
    var refused = 0

    for _ in 0..<Effort.cases(3000) {
      var damaged = sampleImages[index]
      let headers = 0..<min(damaged.count, 300)
      for _ in 0...Int.random(in: 0...3, using: &generator) {
        let place = Bool.random(using: &generator) ? headers : damaged.indices
        damaged[Int.random(in: place, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      exerciseBootImage(damaged.span, in: ram)
      refused += inspectionFailure(damaged) == nil ? 0 : 1
    }

    #expect(refused > 0)
  }

  @Test func randomBytesAreRefusedOrLoadedInBounds() throws {
    let ram = try makeRAM()
    var generator = Generator(state: 42)
    var refused = 0

    for _ in 0..<Effort.cases(2000) {
      let count = Int.random(in: 1...2000, using: &generator)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      exerciseBootImage(bytes.span, in: ram)
      refused += inspectionFailure(bytes) == nil ? 0 : 1
    }

    #expect(refused == Effort.cases(2000))
  }
}
