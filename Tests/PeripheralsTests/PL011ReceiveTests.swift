import Peripherals
import TestSupport
import Testing

private let uartDR: UInt64 = 0x000
private let uartRSR: UInt64 = 0x004
private let uartFR: UInt64 = 0x018
private let uartLCRH: UInt64 = 0x02C
private let uartCR: UInt64 = 0x030
private let uartIFLS: UInt64 = 0x034
private let uartIMSC: UInt64 = 0x038
private let uartRIS: UInt64 = 0x03C
private let uartICR: UInt64 = 0x044
private let receiveEmpty: UInt64 = 1 << 4
private let receiveFull: UInt64 = 1 << 6
private let receiveInterrupt: UInt64 = 1 << 4
private let timeoutInterrupt: UInt64 = 1 << 6
private let breakInterrupt: UInt64 = 1 << 9
private let overrunInterrupt: UInt64 = 1 << 10

@Suite struct PL011ReceiveTests {
  @Test func fifoTakesSixteenCharactersAndRefusesTheNext() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)

    let accepted = (0..<17).map { uart.receive(UInt8($0)) }

    #expect(accepted == Array(repeating: true, count: 16) + [false])
    #expect(uart.receiveSpace == 0)
    #expect(uart.read(at: uartFR, width: 4) & (receiveEmpty | receiveFull) == receiveFull)
    #expect((0..<16).map { _ in uart.read(at: uartDR, width: 4) } == Array(0..<16))
    #expect(uart.receiveSpace == 16)
    #expect(uart.read(at: uartFR, width: 4) & (receiveEmpty | receiveFull) == receiveEmpty)
    #expect(uart.events.isEmpty)
  }

  @Test func disabledFIFOTakesOneCharacter() {
    var uart = PL011()

    let accepted = [uart.receive(0x61), uart.receive(0x62)]

    #expect(accepted == [true, false])
    #expect(uart.read(at: uartFR, width: 4) & (receiveEmpty | receiveFull) == receiveFull)
    #expect(uart.read(at: uartRIS, width: 4) == receiveInterrupt)
    #expect(uart.read(at: uartDR, width: 4) == 0x61)
    #expect(uart.read(at: uartRIS, width: 4) == 0)
  }

  @Test func emptyFIFOReadsAsZero() {
    var uart = PL011()

    #expect(uart.read(at: uartDR, width: 4) == 0)
    #expect(uart.read(at: uartRSR, width: 4) == 0)
  }

  @Test(arguments: [(0, 2), (1, 4), (2, 8), (3, 12), (4, 14), (6, 8)] as [(UInt64, Int)])
  func interruptIsAssertedFromTheTriggerLevelOn(selection: UInt64, level: Int) {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)
    uart.write(selection << 3, at: uartIFLS, width: 4)

    var asserted: [Int] = []
    for count in 1...16 where uart.receive(0x61) {
      if uart.read(at: uartRIS, width: 4) & receiveInterrupt != 0 { asserted.append(count) }
    }
    var assertedWhileDrained: [Int] = []
    for count in (0..<16).reversed() {
      _ = uart.read(at: uartDR, width: 4)
      if uart.read(at: uartRIS, width: 4) & receiveInterrupt != 0 { assertedWhileDrained.append(count) }
    }

    #expect(asserted == Array(level...16))
    #expect(assertedWhileDrained == (level..<16).reversed())
  }

  @Test func timeoutInterruptStaysUntilTheFIFOIsEmpty() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)
    uart.write(timeoutInterrupt, at: uartIMSC, width: 4)

    let before = uart.interruptLevel
    _ = uart.receive(0x61)
    _ = uart.receive(0x62)
    let withTwo = uart.interruptLevel
    uart.write(timeoutInterrupt, at: uartICR, width: 4)
    let afterClear = uart.interruptLevel
    _ = uart.read(at: uartDR, width: 4)
    let withOne = uart.interruptLevel
    _ = uart.read(at: uartDR, width: 4)
    let empty = uart.interruptLevel

    #expect([before, withTwo, afterClear, withOne, empty] == [false, true, true, true, false])
  }

  @Test func clearedReceiveInterruptIsAssertedAgainByTheNextCharacter() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)
    for _ in 0..<8 { _ = uart.receive(0x61) }

    uart.write(receiveInterrupt, at: uartICR, width: 4)
    let cleared = uart.read(at: uartRIS, width: 4)
    _ = uart.receive(0x62)

    #expect(cleared == timeoutInterrupt)
    #expect(uart.read(at: uartRIS, width: 4) == receiveInterrupt | timeoutInterrupt)
  }

  @Test func refusedCharacterAssertsAClearedReceiveInterruptAgain() {
    var uart = PL011()
    _ = uart.receive(0x61)
    uart.write(receiveInterrupt, at: uartICR, width: 4)

    let accepted = uart.receive(0x62)

    #expect(!accepted)
    #expect(uart.read(at: uartRIS, width: 4) == receiveInterrupt)
  }

  @Test func breakIsACharacterZeroWithItsErrorBit() {
    var uart = PL011()
    uart.write(0x10, at: uartLCRH, width: 4)
    _ = uart.receive(0x61)

    let accepted = uart.receiveBreak()

    #expect(accepted)
    #expect(uart.read(at: uartRIS, width: 4) & breakInterrupt != 0)
    #expect(uart.read(at: uartDR, width: 4) == 0x61)
    #expect(uart.read(at: uartRSR, width: 4) == 0)
    #expect(uart.read(at: uartDR, width: 4) == 0x400)
    #expect(uart.read(at: uartRSR, width: 4) == 0x4)
    uart.write(0, at: uartRSR, width: 4)
    #expect(uart.read(at: uartRSR, width: 4) == 0)
    uart.write(breakInterrupt, at: uartICR, width: 4)
    #expect(uart.read(at: uartRIS, width: 4) == 0)
  }

  @Test func loopbackIntoAFullFIFOIsAnOverrun() {
    var uart = PL011()
    uart.write(0x381, at: uartCR, width: 4)

    uart.write(0x61, at: uartDR, width: 1)
    uart.write(0x62, at: uartDR, width: 1)

    #expect(uart.read(at: uartRIS, width: 4) & overrunInterrupt != 0)
    #expect(uart.read(at: uartRSR, width: 4) == 0x8)
    #expect(uart.read(at: uartDR, width: 4) == 0x861)
    uart.write(0x63, at: uartDR, width: 1)
    #expect(uart.read(at: uartDR, width: 4) == 0x63)
    #expect(uart.read(at: uartRSR, width: 4) == 0x8)
    uart.write(0, at: uartRSR, width: 4)
    #expect(uart.read(at: uartRSR, width: 4) == 0)
    #expect(uart.events.count(of: .characterLost) == 1)
  }

  @Test func loopbackDisconnectsTheLine() {
    var uart = PL011()
    uart.write(0x381, at: uartCR, width: 4)

    let accepted = [uart.receive(0x61), uart.receiveBreak()]

    #expect(accepted == [false, false])
    #expect(uart.receiveSpace == 0)
    uart.write(0x301, at: uartCR, width: 4)
    #expect(uart.receiveSpace == 1)
  }

  @Test func breakSentInLoopbackIsReceived() {
    var uart = PL011()
    uart.write(0x381, at: uartCR, width: 4)

    uart.write(0x1, at: uartLCRH, width: 4)
    uart.write(0x1, at: uartLCRH, width: 4)

    #expect(uart.read(at: uartDR, width: 4) == 0x400)
    #expect(uart.read(at: uartFR, width: 4) & receiveEmpty != 0)
  }

  @Test func turningTheFIFOsOnOrOffEmptiesTheReceiver() {
    var uart = PL011()
    _ = uart.receive(0x61)

    uart.write(0x10, at: uartLCRH, width: 4)

    #expect(uart.read(at: uartFR, width: 4) & receiveEmpty != 0)
    #expect(uart.read(at: uartRIS, width: 4) == 0)
  }

  @Test func guestListensOnceReceiverAndAnInterruptOfItAreEnabled() {
    var uart = PL011()

    uart.write(0x301, at: uartCR, width: 4)
    let enabled = uart.isListening
    uart.write(receiveInterrupt, at: uartIMSC, width: 4)
    let unmasked = uart.isListening
    uart.write(0x101, at: uartCR, width: 4)
    let withoutReceiver = uart.isListening

    #expect([enabled, unmasked, withoutReceiver] == [false, true, false])
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func interruptDrivenGuestGetsEveryCharacter(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var uart = PL011()
    uart.write(random.next() & 0x10, at: uartLCRH, width: 4)
    uart.write(random.next() & 0x3F, at: uartIFLS, width: 4)
    uart.write(receiveInterrupt | timeoutInterrupt, at: uartIMSC, width: 4)
    var offered: [UInt8] = []
    var got: [UInt8] = []

    for _ in 0..<2000 {
      if random.next() % 3 != 0 {
        let character = UInt8(truncatingIfNeeded: random.next())
        if uart.receive(character) { offered.append(character) }
      } else if uart.interruptLevel {
        // Linux's handler: read until UARTFR.RXFE, or give up early and come back.
        for _ in 0...(random.next() % 16) where uart.read(at: uartFR, width: 2) & receiveEmpty == 0 {
          got.append(UInt8(truncatingIfNeeded: uart.read(at: uartDR, width: 2)))
        }
      }
    }
    while uart.interruptLevel { got.append(UInt8(truncatingIfNeeded: uart.read(at: uartDR, width: 2))) }

    #expect(got == offered)
  }
}
