import Peripherals
import Testing

@Suite struct PvpanicTests {
  @Test func registerReadsAsTheSupportedEvents() {
    var all = Pvpanic()
    var first = Pvpanic(supported: [.panicked, .crashLoaded])

    #expect(all.read(at: 0, width: 1) == 0b111)
    #expect(first.read(at: 0, width: 1) == 0b11)
  }

  @Test func writtenEventsAreReportedAndAddUp() {
    var device = Pvpanic()

    let before = device.reported
    device.write(0b010, at: 0, width: 1)
    let crashLoaded = device.reported
    device.write(0b001, at: 0, width: 1)

    #expect(before == [])
    #expect(crashLoaded == .crashLoaded)
    #expect(device.reported == [.crashLoaded, .panicked])
    #expect(device.events.isEmpty)
  }

  @Test func eventThatIsNotSupportedIsIgnoredAndCounted() {
    var device = Pvpanic(supported: [.panicked, .crashLoaded])

    device.write(0b1000_0101, at: 0, width: 1)

    #expect(device.reported == .panicked)
    #expect(device.events.count(of: .unsupportedValue) == 1)
  }

  @Test func accessBehindTheRegisterIsCounted() {
    var device = Pvpanic()

    let value = device.read(at: 1, width: 1)
    device.write(1, at: 1, width: 1)

    #expect(value == 0)
    #expect(device.reported == [])
    #expect(device.events.count(of: .unknownOffset) == 2)
  }

  @Test func widerAccessIsCarriedOutAndCounted() {
    var device = Pvpanic()

    let value = device.read(at: 0, width: 4)
    device.write(0xFFFF_FF01, at: 0, width: 4)

    #expect(value == 0b111)
    #expect(device.reported == .panicked)
    #expect(device.events.count(of: .unsupportedWidth) == 2)
  }

  @Test func stateFromElsewhereIsCutToTheKnownEvents() {
    var state = Pvpanic.State()
    state.supported = Pvpanic.Events(rawValue: 0xF3)
    state.reported = Pvpanic.Events(rawValue: 0xFF)

    let device = Pvpanic(state: state)

    #expect(device.state.supported == [.panicked, .crashLoaded])
    #expect(device.reported == [.panicked, .crashLoaded])
  }
}
