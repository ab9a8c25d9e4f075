import Peripherals
import TestSupport
import Testing

/// An access of a guest that means no good: mostly at registers, sometimes anywhere.
private struct RandomAccess {
  private let value: UInt64
  private let offset: UInt64
  private let width: Int
  private let isWrite: Bool

  init(_ random: inout SplitMix64) {
    value = random.next()
    width = 1 << Int(random.next() % 4)
    isWrite = random.next() % 2 == 0
    offset =
      switch random.next() % 8 {
      case 0: random.next()
      case 1: 0xFE0 + random.next() % 0x20
      default: 4 * (random.next() % 20)
      }
  }

  /// What a read gave, or `nil` for a write.
  @discardableResult
  func apply(to device: inout some RegisterBlock) -> UInt64? {
    guard isWrite else { return device.read(at: offset, width: width) }
    device.write(width == 8 ? value : value & (1 << (8 * UInt64(width)) - 1), at: offset, width: width)
    return nil
  }
}

/// Whatever a guest does to a register block, it does not trap, and the block can be rebuilt from its state.
@Suite struct RandomAccessTests {
  @Test(arguments: 1...50 as ClosedRange<UInt64>)
  func pl011SurvivesRandomAccessesAndGoesOnFromItsState(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var uart = PL011()
    var counted = true

    for _ in 0..<2000 {
      switch random.next() % 5 {
      case 0: _ = uart.takeTransmitted()
      case 1: _ = uart.receive(UInt8(truncatingIfNeeded: random.next()))
      case 2: _ = uart.receiveBreak()
      default: RandomAccess(&random).apply(to: &uart)
      }
      counted = counted && 0...16 ~= uart.transmittedCount && 0...16 ~= uart.receiveSpace
    }
    var restored = PL011(state: uart.state)
    let stateAtRestore = restored.state == uart.state
    let accesses = (0..<200).map { _ in RandomAccess(&random) }

    #expect(counted)
    #expect(stateAtRestore)
    #expect(accesses.map { $0.apply(to: &restored) } == accesses.map { $0.apply(to: &uart) })
    #expect(restored.state == uart.state)
    #expect(restored.interruptLevel == uart.interruptLevel)
  }

  @Test(arguments: 1...50 as ClosedRange<UInt64>)
  func pl011TakesAnyStateAndBringsItWithinItsRegisters(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var state = PL011.State()
    state.receiveFIFO = CharacterFIFO(
      characters: UInt128(random.next()) << 64 | UInt128(random.next()),
      errors: random.next(),
      count: Int(truncatingIfNeeded: random.next())
    )
    state.transmitFIFO = CharacterFIFO(characters: .max, errors: .max, count: Int(random.next() % 32) - 8)
    state.uartLCRH = PL011.LineControl(rawValue: UInt8(truncatingIfNeeded: random.next()))
    state.uartIBRD = UInt32(truncatingIfNeeded: random.next())
    state.uartIFLS = UInt32(truncatingIfNeeded: random.next())

    var uart = PL011(state: state)
    let first = uart.state
    for _ in 0..<200 { RandomAccess(&random).apply(to: &uart) }
    while uart.takeTransmitted() != nil {}

    #expect(PL011(state: first).state == first)
    #expect(first.uartIBRD <= 0xFFFF && first.uartIFLS <= 0x3F)
    #expect(uart.transmittedCount == 0)
  }

  @Test(arguments: 1...50 as ClosedRange<UInt64>)
  func pl031SurvivesRandomAccessesAndGoesOnFromItsState(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var clock = PL031(now: 0)
    var alarmsLieAhead = true

    for _ in 0..<2000 {
      if random.next() % 4 == 0 { clock.advance(to: Int64(bitPattern: random.next())) }
      RandomAccess(&random).apply(to: &clock)
      alarmsLieAhead = alarmsLieAhead && clock.nextAlarm != 0
    }
    clock.advance(to: 77)
    let restored = PL031(state: clock.state, now: 77)

    #expect(alarmsLieAhead)
    #expect(restored.state == clock.state)
    #expect(restored.interruptLevel == clock.interruptLevel)
    #expect(restored.nextAlarm == clock.nextAlarm)
  }

  @Test(arguments: 1...50 as ClosedRange<UInt64>)
  func pvpanicSurvivesRandomAccessesAndGoesOnFromItsState(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var device = Pvpanic()

    for _ in 0..<500 { RandomAccess(&random).apply(to: &device) }
    let restored = Pvpanic(state: device.state)

    #expect(restored.state == device.state)
    #expect(device.reported.isSubset(of: .all))
  }
}
