import Peripherals
import Testing

private let rtcDR: UInt64 = 0x00
private let rtcMR: UInt64 = 0x04
private let rtcLR: UInt64 = 0x08
private let rtcCR: UInt64 = 0x0C
private let rtcIMSC: UInt64 = 0x10
private let rtcRIS: UInt64 = 0x14
private let rtcMIS: UInt64 = 0x18
private let rtcICR: UInt64 = 0x1C

@Suite struct PL031Tests {
  @Test func dataRegisterShowsTheTimeOfTheOwner() {
    var clock = PL031(now: 1_700_000_000)

    let first = clock.read(at: rtcDR, width: 4)
    clock.advance(to: 1_700_000_005)

    #expect(first == 1_700_000_000)
    #expect(clock.read(at: rtcDR, width: 4) == 1_700_000_005)
  }

  @Test func dataRegisterWrapsAtThirtyTwoBits() {
    var clock = PL031(now: 0xFFFF_FFFF)

    clock.advance(to: 0x1_0000_0003)

    #expect(clock.read(at: rtcDR, width: 4) == 3)
  }

  @Test func loadRegisterSetsTheTimeAndReadsBack() {
    var clock = PL031(now: 1000)

    clock.write(50, at: rtcLR, width: 4)
    clock.advance(to: 1007)

    #expect(clock.read(at: rtcLR, width: 4) == 50)
    #expect(clock.read(at: rtcDR, width: 4) == 57)
  }

  @Test func controlRegisterReadsAsEnabledWhateverIsWritten() {
    var clock = PL031(now: 1000)

    clock.write(0, at: rtcCR, width: 4)
    clock.advance(to: 1001)

    #expect(clock.read(at: rtcCR, width: 4) == 1)
    #expect(clock.read(at: rtcDR, width: 4) == 1001)
  }

  @Test func maskRegisterHasOneBit() {
    var clock = PL031(now: 1000)

    clock.write(0xFFFF_FFFF, at: rtcIMSC, width: 4)

    #expect(clock.read(at: rtcIMSC, width: 4) == 1)
  }

  @Test func alarmIsRaisedAtTheMatchAndNotBefore() {
    var clock = PL031(now: 1000)
    clock.write(1, at: rtcIMSC, width: 4)
    clock.write(1010, at: rtcMR, width: 4)

    let due = clock.nextAlarm
    clock.advance(to: 1009)
    let before = clock.interruptLevel
    clock.advance(to: 1010)

    #expect(due == 10)
    #expect(!before)
    #expect(clock.interruptLevel)
    #expect(clock.nextAlarm == nil)
    #expect(clock.read(at: rtcMR, width: 4) == 1010)
    #expect(clock.read(at: rtcRIS, width: 4) == 1)
    #expect(clock.read(at: rtcMIS, width: 4) == 1)
  }

  @Test func alarmThatTheOwnerPassedIsRaised() {
    var clock = PL031(now: 1000)
    clock.write(1010, at: rtcMR, width: 4)

    clock.advance(to: 5000)

    #expect(clock.read(at: rtcRIS, width: 4) == 1)
    #expect(clock.read(at: rtcMIS, width: 4) == 0)
  }

  @Test func alarmAtTheCurrentTimeIsRaisedAtOnce() {
    var byMatch = PL031(now: 1000)
    var byLoad = PL031(now: 1000)

    byMatch.write(1000, at: rtcMR, width: 4)
    byLoad.write(77, at: rtcMR, width: 4)
    byLoad.write(77, at: rtcLR, width: 4)

    #expect(byMatch.read(at: rtcRIS, width: 4) == 1)
    #expect(byLoad.read(at: rtcRIS, width: 4) == 1)
  }

  @Test func clearedAlarmStaysClearUntilTheCounterComesRound() {
    var clock = PL031(now: 1000)
    clock.write(1, at: rtcIMSC, width: 4)
    clock.write(1000, at: rtcMR, width: 4)

    clock.write(1, at: rtcICR, width: 4)
    let due = clock.nextAlarm
    clock.advance(to: 1000 + 0xFFFF_FFFF)
    let before = clock.interruptLevel

    #expect(due == 1 << 32)
    #expect(!before)
    clock.advance(to: 1000 + 0x1_0000_0000)
    #expect(clock.interruptLevel)
  }

  @Test func maskedAlarmNeedsNoTimer() {
    var clock = PL031(now: 1000)

    clock.write(1010, at: rtcMR, width: 4)

    #expect(clock.nextAlarm == nil)
  }

  @Test func timeThatGoesBackTakesTheCounterBackWithoutAnAlarm() {
    var clock = PL031(now: 1000)
    clock.write(990, at: rtcMR, width: 4)

    clock.advance(to: 900)

    #expect(clock.read(at: rtcDR, width: 4) == 900)
    #expect(clock.read(at: rtcRIS, width: 4) == 0)
  }

  @Test func largestStepsOfTimeDoNotTrap() {
    var clock = PL031(now: .min)
    clock.write(0x1234, at: rtcMR, width: 4)

    clock.advance(to: .max)
    let raised = clock.read(at: rtcRIS, width: 4)
    clock.advance(to: .min)

    #expect(raised == 1)
    #expect(clock.read(at: rtcDR, width: 4) == 0)
  }

  @Test func identificationRegistersNameAPL031() {
    var clock = PL031(now: 1000)

    let bytes = stride(from: UInt64(0xFE0), to: 0x1000, by: 4).map { clock.read(at: $0, width: 4) }

    #expect(bytes == [0x31, 0x10, 0x14, 0x00, 0x0D, 0xF0, 0x05, 0xB1])
  }

  @Test func wrongAccessesAreCountedAndChangeNothing() {
    var clock = PL031(now: 1000)
    let before = clock.state

    clock.write(1, at: rtcDR, width: 4)
    clock.write(1, at: rtcRIS, width: 4)
    clock.write(1, at: rtcMIS, width: 4)
    clock.write(1, at: 0xFF0, width: 4)
    let clear = clock.read(at: rtcICR, width: 4)
    let unknown = clock.read(at: 0x20, width: 4)
    let half = clock.read(at: rtcDR, width: 1)

    #expect(clock.state == before)
    #expect([clear, unknown, half] == [0, 0, 1000 & 0xFF] as [UInt64])
    #expect(clock.events.count(of: .writeToReadOnly) == 4)
    #expect(clock.events.count(of: .readOfWriteOnly) == 1)
    #expect(clock.events.count(of: .unknownOffset) == 1)
    #expect(clock.events.count(of: .unsupportedWidth) == 1)
  }

  @Test func clockGoesOnFromItsStateAtAnotherTime() {
    var clock = PL031(now: 1000)
    clock.write(5, at: rtcLR, width: 4)
    clock.write(1, at: rtcIMSC, width: 4)
    clock.write(105, at: rtcMR, width: 4)

    var restored = PL031(state: clock.state, now: 1060)

    #expect(restored.state == clock.state)
    #expect(restored.read(at: rtcDR, width: 4) == 65)
    #expect(restored.nextAlarm == 40)
  }
}
