import Host
import Synchronization
import Testing

@testable import Apus

/// A line that remembers where it was driven to.
final class LevelHistory: LevelInterrupt, @unchecked Sendable {
  // SAFETY: @unchecked: all that changes is behind the mutex.
  private let stored = Mutex<[Bool]>([])

  var levels: [Bool] { stored.withLock { $0 } }

  override func set(_ level: Bool) { stored.withLock { $0.append(level) } }
}

@Suite struct PausedPeripheralTests {
  private let line = LevelHistory()

  @Test func inputOfASuspendedSerialPortWaitsAndComesOnceInOrderBehindIt() throws {
    let port = try SerialPort.listening(line)
    port.receive(Array("a".utf8)[...])
    let before = line.levels
    port.suspend()

    port.receive(Array("bc".utf8)[...])
    let during = line.levels
    port.resume()
    let read = (0..<3).map { _ in UInt8(truncatingIfNeeded: port.read(at: SerialRegister.data, width: 4)) }
    let isEmpty = port.read(at: SerialRegister.flags, width: 4) & 1 << 4 != 0

    #expect(before == [true] && during == before)
    #expect(read == Array("abc".utf8) && isEmpty)
  }

  @Test func inputThatComesWhileASerialPortIsSuspendedInterruptsBehindIt() throws {
    let port = try SerialPort.listening(line)
    port.suspend()
    port.receive(Array("x".utf8)[...])
    let during = line.levels

    port.resume()

    #expect(during.isEmpty)
    #expect(line.levels == [true])
  }

  @Test func outputOfASuspendedSerialPortGoesOutAsFarAsItHasLeftTheGuestsFIFO() throws {
    let port = try SerialPort.listening(line)
    let capacity = 16 << 10
    // Behind the ring the FIFO is full, too.
    for _ in 0..<capacity + 8 { port.write(0x61, at: SerialRegister.data, width: 4) }
    port.suspend()

    var taken = 0
    while true {
      let count = port.takeOutput(limit: 4096).count
      if count == 0 { break }
      taken += count
    }
    port.resume()
    let rest = port.takeOutput(limit: 4096).count

    #expect(taken == capacity)
    #expect(rest == 8)
  }

  /// Of the PL031, ARM DDI 0224, 3.3.
  private enum ClockRegister {
    static let data: UInt64 = 0x00
    static let match: UInt64 = 0x04
    static let mask: UInt64 = 0x10
  }

  @Test func anAlarmThatIsDueWhileTheClockIsSuspendedRingsBehindIt() throws {
    let clock = try RealTimeClock(interrupt: line)
    let now = clock.read(at: ClockRegister.data, width: 4)
    clock.write(1, at: ClockRegister.mask, width: 4)
    clock.suspend()
    clock.alarmFired()
    clock.resume()
    let notDue = line.levels
    clock.write(now + 1, at: ClockRegister.match, width: 4)
    clock.suspend()

    let limit = HostClock.monotonic + 10_000_000_000
    while HostClock.wallSeconds <= Int64(now) + 1, HostClock.monotonic < limit {}
    clock.alarmFired()
    let during = line.levels
    clock.resume()

    #expect(notDue.isEmpty && during.isEmpty)
    #expect(line.levels == [true])
    #expect(clock.read(at: ClockRegister.data, width: 4) > now)
  }
}
