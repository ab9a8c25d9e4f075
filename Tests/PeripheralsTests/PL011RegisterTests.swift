import Peripherals
import Testing

@Suite struct PL011RegisterTests {
  @Test func everyRegisterHasItsResetValue() {
    var uart = PL011()

    // ARM DDI 0183, 3.2: the summary of registers; UARTFR with the modem inputs asserted.
    let expected: [(UInt64, UInt64)] = [
      (0x000, 0), (0x004, 0), (0x018, 0x97), (0x020, 0), (0x024, 0), (0x028, 0), (0x02C, 0), (0x030, 0x300),
      (0x034, 0x12), (0x038, 0), (0x03C, 0), (0x040, 0), (0x048, 0),
    ]
    for (offset, value) in expected {
      #expect(uart.read(at: offset, width: 4) == value, "offset \(offset)")
    }
    #expect(!uart.interruptLevel)
    #expect(uart.events.isEmpty)
  }

  @Test(arguments: [
    (0x020, 0xFF) as (UInt64, UInt64),  // UARTILPR
    (0x024, 0xFFFF),  // UARTIBRD
    (0x028, 0x3F),  // UARTFBRD
    (0x02C, 0xFF),  // UARTLCR_H
    (0x030, 0xFF87),  // UARTCR
    (0x034, 0x3F),  // UARTIFLS
    (0x038, 0x7FF),  // UARTIMSC
    (0x048, 0x7),  // UARTDMACR
  ])
  func writableRegisterKeepsTheBitsItHas(offset: UInt64, mask: UInt64) {
    var uart = PL011()

    uart.write(0xFFFF_FFFF, at: offset, width: 4)
    let allOnes = uart.read(at: offset, width: 4)
    uart.write(0, at: offset, width: 4)
    let allZeroes = uart.read(at: offset, width: 4)

    #expect(allOnes == mask)
    #expect(allZeroes == 0)
  }

  @Test func identificationRegistersNameAPL011OfRevision1() {
    var uart = PL011()

    let bytes = stride(from: UInt64(0xFE0), to: 0x1000, by: 4).map { uart.read(at: $0, width: 4) }

    // Linux takes revisions below 3 to have FIFOs of 16 characters.
    #expect(bytes == [0x11, 0x10, 0x14, 0x00, 0x0D, 0xF0, 0x05, 0xB1])
  }

  @Test(arguments: [0x018, 0x03C, 0x040, 0xFE0, 0xFE4, 0xFE8, 0xFEC, 0xFF0, 0xFF4, 0xFF8, 0xFFC] as [UInt64])
  func writeToReadOnlyRegisterChangesNothingAndIsCounted(offset: UInt64) {
    var uart = PL011()
    let before = uart.state

    uart.write(0xFFFF, at: offset, width: 2)

    #expect(uart.state == before)
    #expect(uart.events.count(of: .writeToReadOnly) == 1)
    #expect(uart.events.last?.offset == offset)
    #expect(uart.events.last?.written == 0xFFFF)
  }

  @Test func readOfInterruptClearGivesZeroAndIsCounted() {
    var uart = PL011()

    let value = uart.read(at: 0x044, width: 4)

    #expect(value == 0)
    #expect(uart.events.count(of: .readOfWriteOnly) == 1)
    #expect(uart.events.last?.offset == 0x044)
  }

  @Test(arguments: [0x001, 0x008, 0x014, 0x01C, 0x04C, 0x080, 0xFDC, 0xFFD, 0x1000, .max] as [UInt64])
  func unknownOffsetReadsAsZeroAndIsCounted(offset: UInt64) {
    var uart = PL011()
    let before = uart.state

    let value = uart.read(at: offset, width: 4)
    uart.write(0xFF, at: offset, width: 4)

    #expect(value == 0)
    #expect(uart.state == before)
    #expect(uart.events.count(of: .unknownOffset) == 2)
    #expect(uart.events.total == 2)
  }

  @Test(arguments: [(1, 0x12), (2, 0x12), (4, 0x12), (8, 0x12)] as [(Int, UInt64)])
  func registerAnswersEachWidthAndCountsOnlyEightBytes(width: Int, expected: UInt64) {
    var uart = PL011()

    let value = uart.read(at: 0x034, width: width)

    #expect(value == expected)
    #expect(uart.events.count(of: .unsupportedWidth) == (width == 8 ? 1 : 0))
  }

  @Test func narrowReadGivesTheLowBytes() {
    var uart = PL011()
    uart.write(0xABCD, at: 0x024, width: 4)

    #expect(uart.read(at: 0x024, width: 1) == 0xCD)
    #expect(uart.read(at: 0x024, width: 2) == 0xABCD)
  }

  @Test func enablingDMAIsCountedBecauseThereIsNone() {
    var uart = PL011()

    uart.write(0b100, at: 0x048, width: 4)
    let withoutDMA = uart.events.total
    uart.write(0b011, at: 0x048, width: 4)

    #expect(withoutDMA == 0)
    #expect(uart.events.count(of: .unsupportedValue) == 1)
  }

  @Test func maskedStatusIsRawStatusAndMaskAndDrivesTheLine() {
    var uart = PL011()
    _ = uart.receive(0x41)

    let rawStatus = uart.read(at: 0x03C, width: 4)
    let lineWhileMasked = uart.interruptLevel
    uart.write(0x10, at: 0x038, width: 4)

    #expect(rawStatus == 0x10)
    #expect(!lineWhileMasked)
    #expect(uart.read(at: 0x040, width: 4) == 0x10)
    #expect(uart.interruptLevel)
  }

  @Test func loopbackFeedsModemOutputsToInputsAndRaisesTheirInterrupts() {
    var uart = PL011()

    uart.write(0x381 | 1 << 11 | 1 << 13, at: 0x030, width: 4)  // LBE, RTS and Out2

    let flags = uart.read(at: 0x018, width: 4)
    #expect(flags & 0x107 == 0x101)  // CTS and RI
    #expect(uart.read(at: 0x03C, width: 4) == 0b1101)  // RI, DCD and DSR changed; CTS did not
    uart.write(0xF, at: 0x044, width: 4)
    #expect(uart.read(at: 0x03C, width: 4) == 0)
  }
}
