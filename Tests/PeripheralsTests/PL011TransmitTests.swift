import Peripherals
import TestSupport
import Testing

private let uartDR: UInt64 = 0x000
private let uartFR: UInt64 = 0x018
private let uartLCRH: UInt64 = 0x02C
private let uartCR: UInt64 = 0x030
private let uartIFLS: UInt64 = 0x034
private let uartIMSC: UInt64 = 0x038
private let uartRIS: UInt64 = 0x03C
private let uartICR: UInt64 = 0x044
private let transmitInterrupt: UInt64 = 1 << 5
private let transmitFull: UInt64 = 1 << 5
private let transmitEmpty: UInt64 = 1 << 7
private let busy: UInt64 = 1 << 3

@Suite struct PL011TransmitTests {
  @Test func charactersLeaveInTheOrderInWhichTheyWereWritten() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)

    for character in 0x30..<0x40 as Range<UInt64> { uart.write(character, at: uartDR, width: 1) }
    var taken: [UInt8] = []
    while let character = uart.takeTransmitted() { taken.append(character) }

    #expect(taken == Array(0x30..<0x40))
  }

  @Test func flagsFollowTheEnabledFIFO() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)

    let empty = uart.read(at: uartFR, width: 4)
    for _ in 0..<15 { uart.write(0x61, at: uartDR, width: 1) }
    let fifteen = uart.read(at: uartFR, width: 4)
    uart.write(0x61, at: uartDR, width: 1)
    let full = uart.read(at: uartFR, width: 4)

    #expect(empty & (transmitFull | transmitEmpty | busy) == transmitEmpty)
    #expect(fifteen & (transmitFull | transmitEmpty | busy) == busy)
    #expect(full & (transmitFull | transmitEmpty | busy) == busy | transmitFull)
  }

  @Test func disabledFIFOIsFullWithOneCharacter() {
    var uart = PL011()

    uart.write(0x61, at: uartDR, width: 1)
    let full = uart.read(at: uartFR, width: 4)
    let character = uart.takeTransmitted()
    let empty = uart.read(at: uartFR, width: 4)

    #expect(full & (transmitFull | transmitEmpty) == transmitFull)
    #expect(character == 0x61)
    #expect(empty & (transmitFull | transmitEmpty) == transmitEmpty)
  }

  @Test(arguments: [(0, 2), (1, 4), (2, 8), (3, 12), (4, 14), (7, 8)] as [(UInt64, Int)])
  func interruptIsAssertedWhenTheFIFOIsDrainedToTheTriggerLevel(selection: UInt64, level: Int) {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)
    uart.write(selection, at: uartIFLS, width: 4)
    uart.write(transmitInterrupt, at: uartIMSC, width: 4)
    for _ in 0..<16 { uart.write(0x61, at: uartDR, width: 1) }

    var levels: [Int] = []
    while uart.takeTransmitted() != nil {
      if uart.interruptLevel { levels.append(uart.transmittedCount) }
    }

    #expect(levels == (0...level).reversed())
  }

  @Test func interruptIsNotAssertedBeforeAnythingWasWritten() {
    var uart = PL011()

    uart.write(0x10, at: uartLCRH, width: 4)
    uart.write(transmitInterrupt, at: uartIMSC, width: 4)
    uart.write(0x301, at: uartCR, width: 4)

    #expect(!uart.interruptLevel)
  }

  @Test func interruptIsClearedByFillingBeyondTheTriggerLevelOrByItsClearBit() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)
    uart.write(0x61, at: uartDR, width: 1)
    _ = uart.takeTransmitted()
    let drained = uart.read(at: uartRIS, width: 4)

    for _ in 0..<9 { uart.write(0x61, at: uartDR, width: 1) }
    let filled = uart.read(at: uartRIS, width: 4)
    uart.removeTransmitted(9)
    uart.write(transmitInterrupt, at: uartICR, width: 4)
    let cleared = uart.read(at: uartRIS, width: 4)

    #expect(drained == transmitInterrupt)
    #expect(filled == 0)
    #expect(cleared == 0)
  }

  @Test func characterWrittenToAFullFIFOIsDroppedAndCounted() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)
    uart.write(0x301, at: uartCR, width: 4)

    for character in 0..<17 as Range<UInt64> { uart.write(character, at: uartDR, width: 1) }

    #expect(uart.transmittedCount == 16)
    #expect(uart.events.count(of: .characterLost) == 1)
    #expect(uart.events.last?.written == 16)
  }

  @Test func characterIsTransmittedWhileTheUARTIsDisabledAndThatIsCounted() {
    var uart = PL011()

    uart.write(0x61, at: uartDR, width: 1)
    uart.write(0x301, at: uartCR, width: 4)
    uart.write(0x62, at: uartDR, width: 1)

    #expect(uart.takeTransmitted() == 0x61)
    #expect(uart.takeTransmitted() == 0x62)
    #expect(uart.events.count(of: .transmitterDisabled) == 1)
  }

  @Test func partOfTheQueueCanBeRemoved() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)
    for character in [0x61, 0x62, 0x63] as [UInt64] { uart.write(character, at: uartDR, width: 1) }

    let queue = uart.transmitted
    uart.removeTransmitted(2)

    #expect(queue == 0x63_6261)
    #expect(uart.transmittedCount == 1)
    #expect(uart.takeTransmitted() == 0x63)
  }

  @Test func turningTheFIFOsOffKeepsWhatWasTransmitted() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)
    for character in [0x61, 0x62] as [UInt64] { uart.write(character, at: uartDR, width: 1) }

    uart.write(0, at: uartLCRH, width: 4)

    #expect(uart.takeTransmitted() == 0x61)
    #expect(uart.takeTransmitted() == 0x62)
  }

  @Test func loopbackTransmitsAndReceivesTheCharacter() {
    var uart = PL011()
    uart.write(0x381, at: uartCR, width: 4)

    uart.write(0x61, at: uartDR, width: 1)

    #expect(uart.takeTransmitted() == 0x61)
    #expect(uart.read(at: uartDR, width: 4) == 0x61)
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func guestThatHeedsTheFullFlagLosesNothing(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var uart = PL011()
    uart.write(random.next() & 0x10, at: uartLCRH, width: 4)
    uart.write(0x301, at: uartCR, width: 4)
    var written: [UInt8] = []
    var taken: [UInt8] = []

    for _ in 0..<2000 {
      if random.next() % 3 != 0 {
        guard uart.read(at: uartFR, width: 2) & transmitFull == 0 else { continue }
        let character = UInt8(truncatingIfNeeded: random.next())
        uart.write(UInt64(character), at: uartDR, width: 1)
        written.append(character)
      } else if let character = uart.takeTransmitted() {
        taken.append(character)
      }
    }
    while let character = uart.takeTransmitted() { taken.append(character) }

    #expect(taken == written)
    #expect(uart.events.isEmpty)
  }
}
