import Foundation
import Host
import Peripherals
import Testing
import Virtio

@testable import Apus

/// States of peripherals that are taken, written, read and put into new ones.
@Suite struct PeripheralStateTests {
  private let line = LevelHistory()

  private func copied<State: VersionedState>(_ state: State) throws -> State {
    try JSONDecoder().decode(Versioned<State>.self, from: JSONEncoder().encode(Versioned(state))).state
  }

  private func read(_ count: Int, from port: SerialPort) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: port.read(at: SerialRegister.data, width: 4)) }
  }

  @Test func inputOfASerialPortGoesOnInOrderThroughFIFORingAndWhatCameSince() throws {
    let port = try SerialPort.listening(LevelHistory())
    let sent = (0..<100).map { UInt8($0) }
    port.receive(sent[...])
    port.suspend()
    let state = try copied(port.savedState)
    let other = try SerialPort(interrupt: line)
    other.suspend()
    other.receive([200, 201])

    try other.restore(state)
    let again = other.savedState
    let levels = line.levels
    other.resume()

    #expect(again.uart == state.uart && again.input == state.input + [200, 201])
    #expect(levels == [true])
    #expect(read(102, from: other) == sent + [200, 201])
    #expect(other.read(at: SerialRegister.flags, width: 4) & 1 << 4 != 0)
    #expect(line.levels == [true, false])
  }

  @Test func outputOfASerialPortComesOutOnceBehindTheRestore() throws {
    let port = try SerialPort.listening(LevelHistory())
    let capacity = 16 << 10
    for number in 0..<capacity + 8 { port.write(UInt64(number & 0xFF), at: SerialRegister.data, width: 4) }
    port.suspend()
    let state = try copied(port.savedState)
    let other = try SerialPort(interrupt: line)
    other.suspend()

    try other.restore(state)
    other.resume()
    var bytes: [UInt8] = []
    while true {
      let taken = other.takeOutput(limit: 4096)
      if taken.isEmpty { break }
      bytes += taken
    }

    #expect(bytes == (0..<capacity + 8).map { UInt8($0 & 0xFF) })
  }

  @Test func portThatWasNotListeningKeepsItsInputUntilTheGuestListens() throws {
    let port = try SerialPort(interrupt: line)
    port.receive(Array("ab".utf8)[...])
    port.suspend()
    let other = try SerialPort(interrupt: line)
    other.suspend()

    try other.restore(try copied(port.savedState))
    other.resume()
    let early = other.read(at: SerialRegister.flags, width: 4) & 1 << 4 != 0
    other.write(0x70, at: SerialRegister.lineControl, width: 4)
    other.write(0x301, at: SerialRegister.control, width: 4)
    other.write(1 << 4, at: SerialRegister.interruptMask, width: 4)

    #expect(early)
    #expect(read(2, from: other) == Array("ab".utf8))
  }

  @Test func stateWithMoreThanASerialPortKeepsIsRefused() throws {
    var state = try SerialPort.listening(LevelHistory()).savedState
    let port = try SerialPort(interrupt: line)

    state.output = [UInt8](repeating: 0, count: 16 << 10 + 1)
    #expect(throws: DeviceStateError.invalid(device: "pl011", field: "output")) { try port.restore(state) }
    state.output = []
    state.input = [UInt8](repeating: 0, count: 65 << 10)
    #expect(throws: DeviceStateError.invalid(device: "pl011", field: "input")) { try port.restore(state) }
  }

  /// Of the PL031, ARM DDI 0224, 3.3.
  private enum ClockRegister {
    static let data: UInt64 = 0x00
    static let match: UInt64 = 0x04
    static let mask: UInt64 = 0x10
    static let clear: UInt64 = 0x1C
  }

  @Test func clockShowsTheHostsTimePlusItsOffsetAndAnAlarmThatWasDueMeanwhileRings() throws {
    let clock = try RealTimeClock(interrupt: LevelHistory())
    // The guest's clock is 1000 s ahead, and its alarm due in 50 s.
    let now = UInt64(HostClock.wallSeconds)
    clock.write(now + 1000, at: 0x08, width: 4)
    clock.write(now + 1050, at: ClockRegister.match, width: 4)
    clock.write(1, at: ClockRegister.mask, width: 4)
    clock.suspend()
    var state = try copied(clock.savedState)
    let other = try RealTimeClock(interrupt: line)
    other.suspend()

    other.restore(state)
    let early = line.levels
    #expect(other.savedState == state)
    other.resume()
    let behind = line.levels
    // It was taken 100 s ago, with an alarm in 50 s.
    state.time -= 100
    state.clock.rtcMR = UInt32(truncatingIfNeeded: now + 950)
    other.suspend()
    other.restore(state)
    other.resume()

    #expect(early == [false] && behind == [false])
    #expect(line.levels.last == true)
    let shown = other.read(at: ClockRegister.data, width: 4)
    #expect((now + 998...now + 1030).contains(shown))
  }

  @Test func panicNotifierKnowsWhatItsGuestHasReported() throws {
    let notifier = PanicNotifier(mailbox: Mailbox())
    notifier.write(4, at: 0, width: 1)
    let other = PanicNotifier(mailbox: Mailbox())

    other.restore(try copied(notifier.savedState))

    #expect(other.savedState.pvpanic.reported == .shutdown)
    #expect(other.read(at: 0, width: 1) == 7)
  }
}
