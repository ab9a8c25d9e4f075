import GuestMemory
import Host
import Logging
internal import Synchronization
import TestSupport
import Testing
import Virtio

@testable import Apus

/// A line that remembers what it was driven to.
private final class RecordedLine: LevelInterrupt, @unchecked Sendable {
  // SAFETY: @unchecked: the levels are behind a mutex.
  private let levels = Mutex<[Bool]>([])

  override func set(_ level: Bool) {
    levels.withLock { $0.append(level) }
  }

  var history: [Bool] { levels.withLock { $0 } }
}

/// Registers of the PL011 (ARM DDI 0183, 3.2).
private enum UART {
  static let data: UInt64 = 0x00
  static let flags: UInt64 = 0x18
  static let control: UInt64 = 0x30
  static let mask: UInt64 = 0x38
  static let receiveFIFOEmpty: UInt64 = 1 << 4
  static let transmitFIFOFull: UInt64 = 1 << 5
  static let receiveInterrupt: UInt64 = 1 << 4
  /// The device, its transmitter and its receiver.
  static let allEnabled: UInt64 = 1 | 1 << 8 | 1 << 9
}

@Suite(.timeLimit(.minutes(10))) struct SerialPortTests {
  @Test func whatAGuestDoesWrongWithRegistersIsInTheReportOverAllBoots() throws {
    let ports = [try SerialPort(interrupt: RecordedLine()), try SerialPort(interrupt: RecordedLine())]
    let panicNotifier = PanicNotifier(mailbox: Mailbox())
    var peripherals: [Report.Peripheral] = []

    for port in ports {
      _ = port.read(at: 0x01C, width: 4)
      port.write(1, at: UART.flags, width: 4)
      port.write(UInt64(UInt8(ascii: "x")), at: UART.data, width: 4)
    }
    panicNotifier.write(0x80, at: 0, width: 1)
    for port in ports {
      Report.Peripheral.add(
        [Report.Peripheral("pl011", port.events), Report.Peripheral("pvpanic", panicNotifier.events)],
        to: &peripherals
      )
    }

    #expect(peripherals.map(\.name) == ["pl011", "pvpanic"])
    #expect(peripherals[0].misuses.unknownOffset == 2)
    #expect(peripherals[0].misuses.writeToReadOnly == 2)
    #expect(peripherals[0].misuses.transmitterDisabled == 2)
    #expect(peripherals[0].misuses.readOfWriteOnly == 0)
    #expect(peripherals[1].misuses.unsupportedValue == 2)
  }

  @Test func whatTheGuestWritesIsTakenInOrderAfterTheTimerHasFired() throws {
    let port = try SerialPort(interrupt: RecordedLine())

    for byte in "hello".utf8 { port.write(UInt64(byte), at: UART.data, width: 4) }

    #expect(isReadable(port.outputTimer.rawValue, within: 10_000))
    #expect(port.takeOutput(limit: 3) == Array("hel".utf8))
    #expect(port.takeOutput(limit: 100) == Array("lo".utf8))
    #expect(port.takeOutput(limit: 100).isEmpty)
  }

  @Test func nothingIsLostWhenNobodyTakesTheOutput() throws {
    let port = try SerialPort(interrupt: RecordedLine())
    var written: [UInt8] = []
    while port.read(at: UART.flags, width: 4) & UART.transmitFIFOFull == 0 {
      let byte = UInt8(truncatingIfNeeded: written.count)
      port.write(UInt64(byte), at: UART.data, width: 1)
      written.append(byte)
    }

    var taken: [UInt8] = []
    while true {
      let bytes = port.takeOutput(limit: 1000)
      if bytes.isEmpty { break }
      taken += bytes
    }

    #expect(written.count > 16 << 10)
    #expect(firstDifference(taken, written) == nil)
    #expect(port.read(at: UART.flags, width: 4) & UART.transmitFIFOFull == 0)
  }

  @Test func inputWaitsUntilTheGuestEnablesTheReceiveInterrupt() throws {
    let line = RecordedLine()
    let port = try SerialPort(interrupt: line)

    port.receive(Array("ok".utf8)[...])
    let before = port.read(at: UART.flags, width: 4) & UART.receiveFIFOEmpty
    port.write(UART.allEnabled, at: UART.control, width: 4)
    port.write(UART.receiveInterrupt, at: UART.mask, width: 4)

    #expect(before != 0)
    #expect(line.history == [true])
    #expect(port.read(at: UART.data, width: 4) == UInt64(UInt8(ascii: "o")))
    #expect(port.read(at: UART.data, width: 4) == UInt64(UInt8(ascii: "k")))
    #expect(line.history == [true, false])
  }

  @Test func inputReachesAGuestThatPollsTheFlags() throws {
    let port = try SerialPort(interrupt: RecordedLine())
    port.receive([0x41])

    var polls = 0
    while port.read(at: UART.flags, width: 4) & UART.receiveFIFOEmpty != 0, polls < 1000 { polls += 1 }

    #expect(polls < 100)
    #expect(port.read(at: UART.data, width: 4) == 0x41)
  }

  @Test func inputThatHadNoRoomIsAskedForAgain() throws {
    let port = try SerialPort(interrupt: RecordedLine())
    port.write(UART.allEnabled, at: UART.control, width: 4)
    port.write(UART.receiveInterrupt, at: UART.mask, width: 4)
    var sent = 0
    while true {
      let space = port.inputSpace()
      if space == 0 { break }
      port.receive((0..<space).map { UInt8(truncatingIfNeeded: sent + $0) }[...])
      sent += space
    }
    #expect(!isReadable(port.inputRoom.rawValue))

    var read = 0
    while !isReadable(port.inputRoom.rawValue), read < sent {
      #expect(port.read(at: UART.data, width: 4) == UInt64(UInt8(truncatingIfNeeded: read)))
      read += 1
    }

    #expect(read < sent)
    #expect(port.inputSpace() > 0)
  }
}

@Suite(.timeLimit(.minutes(10))) struct RealTimeClockTests {
  /// Registers of the PL031 (ARM DDI 0224, 3.2).
  private enum Register {
    static let data: UInt64 = 0x00
    static let match: UInt64 = 0x04
    static let mask: UInt64 = 0x10
    static let clear: UInt64 = 0x1C
  }

  @Test func theGuestReadsTheHostsTime() throws {
    let clock = try RealTimeClock(interrupt: RecordedLine())

    let before = HostClock.wallSeconds
    let value = clock.read(at: Register.data, width: 4)
    let after = HostClock.wallSeconds

    #expect((before...after).contains(Int64(value)))
  }

  @Test func anAlarmInterruptsTheGuestAtItsSecond() throws {
    let line = RecordedLine()
    let clock = try RealTimeClock(interrupt: line)
    let now = clock.read(at: Register.data, width: 4)
    clock.write(1, at: Register.mask, width: 4)
    clock.write(now + 1, at: Register.match, width: 4)
    #expect(line.history.isEmpty)

    // The alarm's timer counts from within a second, so it may have to be set once more.
    while line.history.isEmpty {
      try #require(isReadable(clock.alarm.rawValue, within: 10_000))
      clock.alarmFired()
    }
    clock.write(1, at: Register.clear, width: 4)

    #expect(line.history == [true, false])
  }
}

@Suite struct PanicNotifierTests {
  private let mailbox = Mailbox()

  @Test func aGuestThatReportsAPanicEndsTheMachine() throws {
    let event = try mailbox.open()
    let notifier = PanicNotifier(mailbox: mailbox)

    notifier.write(1, at: 0, width: 1)

    #expect(mailbox.verdict?.end == .panicked)
    #expect(isReadable(event.value.rawValue))
  }

  @Test func aCrashKernelThatWasLoadedIsNoEnd() {
    let notifier = PanicNotifier(mailbox: mailbox)

    notifier.write(2, at: 0, width: 1)

    #expect(mailbox.verdict == nil)
    #expect(notifier.read(at: 0, width: 1) & 1 == 1)
  }
}

@Suite struct BusTests {
  /// Answers with its own number and the offset, and remembers the last write.
  private final class Probe: BusDevice {
    private let number: UInt64
    private(set) var written: (value: UInt64, offset: UInt64, width: Int)?

    init(_ number: UInt64) {
      self.number = number
    }

    override func read(at offset: UInt64, width: Int) -> UInt64 { number << 32 | offset }

    override func write(_ value: UInt64, at offset: UInt64, width: Int) {
      written = (value, offset, width)
    }
  }

  @Test func anAccessReachesTheDeviceWhoseRangeHoldsAllItsBytes() {
    let probe = Probe(2)
    var bus = Bus()
    bus.attach(probe, at: GuestRange(at: 0x2000, size: 0x10))
    bus.attach(Probe(1), at: GuestRange(at: 0x1000, size: 0x1000))
    var place = Bus.Place()

    // Each after one to the other device, and one to the same.
    let isTaken = bus.write(7, at: 0x200C, width: 4, near: &place)
    let last: UInt64 = bus.read(0x1FFC, width: 4, near: &place) ?? 0
    let first: UInt64 = bus.read(0x2000, width: 4, near: &place) ?? 0
    let next: UInt64 = bus.read(0x2008, width: 8, near: &place) ?? 0

    #expect(last == 1 << 32 | 0xFFC)
    #expect(first == 2 << 32)
    #expect(next == 2 << 32 | 8)
    #expect(isTaken)
    let (value, offset, width) = probe.written ?? (0, 0, 0)
    #expect(value == 7)
    #expect(offset == 0xC)
    #expect(width == 4)
  }

  @Test(
    arguments: [(0xFFF, 1), (0xFFE, 4), (0x1FFE, 4), (0x200E, 4), (0x2010, 1), (.max, 1), (.max - 3, 8)]
      as [(UInt64, Int)],
    [nil, 0x1000, 0x2000]
  )
  func anAccessThatNoDeviceHoldsIsNotAnswered(access: (address: UInt64, width: Int), after former: UInt64?) {
    var bus = Bus()
    bus.attach(Probe(1), at: GuestRange(at: 0x1000, size: 0x1000))
    bus.attach(Probe(2), at: GuestRange(at: 0x2000, size: 0x10))
    var place = Bus.Place()
    if let former { #expect(bus.read(former, width: 1, near: &place) != nil) }

    let isTaken = bus.write(0, at: access.address, width: access.width, near: &place)
    let isAnswered = bus.read(access.address, width: access.width, near: &place) != nil

    #expect(!isAnswered)
    #expect(!isTaken)
  }

  @Test func aDeviceLivesAsLongAsTheBus() {
    weak var device: Probe?
    do {
      var bus = Bus()
      do {
        let probe = Probe(1)
        device = probe
        bus.attach(probe, at: GuestRange(at: 0, size: 8))
      }
      var place = Bus.Place()
      let value: UInt64 = bus.read(0, width: 8, near: &place) ?? 0
      #expect(value == 1 << 32)
    }

    #expect(device == nil)
  }

  @Test func overlappingDevicesAreAMistakeOfTheMap() async {
    await #expect(processExitsWith: .failure) {
      var bus = Bus()
      bus.attach(BusDevice(), at: GuestRange(at: 0x1000, size: 0x10))
      bus.attach(BusDevice(), at: GuestRange(at: 0x100F, size: 1))
    }
  }
}

@Suite struct AbortLoopTests {
  private static func isRAM(_ address: UInt64) -> Bool { 0x4000_0000...0x400F_FFFC ~= address }

  /// A vCPU that runs in RAM with its MMU off and has taken no exception.
  private static let healthy = AbortLoop(counter: 0x4008_0000, control: 0, link: 0, syndrome: 0, vectors: 0)

  @Test func aGuestInRAMIsNotCaught() {
    #expect(Self.healthy.reason(executableAt: Self.isRAM) == nil)
  }

  @Test(arguments: [0x800, 0x3FFF_FFFC, 0x400F_FFFE, 0x4010_0000, .max] as [UInt64])
  func aGuestThatExecutesWhereThereIsNoMemoryIsCaught(counter: UInt64) {
    var guest = Self.healthy
    guest.counter = counter

    let reason = guest.reason(executableAt: Self.isRAM)

    #expect(reason == "executes at 0x\(String(counter, radix: 16)), where there is no memory")
  }

  @Test func aGuestWithoutVectorsIsSaidToHaveLostItsFirstException() throws {
    var guest = Self.healthy
    guest.counter = 0x200

    let reason = try #require(guest.reason(executableAt: Self.isRAM))

    #expect(
      reason.hasPrefix("takes an exception whose vector at 0x200 it cannot fetch (of the exception itself only X0")
    )
  }

  @Test func aGuestWithItsMMUOnMayExecuteAtAnyAddress() {
    var guest = Self.healthy
    guest.control = 1
    guest.counter = 0xFFFF_8000_8000_0000

    #expect(guest.reason(executableAt: Self.isRAM) == nil)
  }

  @Test(arguments: [0x20, 0x21] as [UInt64])
  func aGuestThatCannotFetchItsVectorIsCaught(exceptionClass: UInt64) {
    let vector: UInt64 = 0xFFFF_0000_0000_0200
    let guest = AbortLoop(
      counter: vector,
      control: 1,
      link: vector,
      syndrome: exceptionClass << 26 | 1 << 25,
      vectors: vector - 0x200
    )

    let reason = guest.reason(executableAt: Self.isRAM)
    #expect(reason?.hasPrefix("takes an exception whose vector at 0xffff000000000200 it cannot fetch") == true)
  }

  @Test func aGuestInAVectorThatItCanFetchIsNotCaught() {
    let vector: UInt64 = 0xFFFF_0000_0000_0200
    let caught = AbortLoop(counter: vector, control: 1, link: vector, syndrome: 0x21 << 26, vectors: vector - 0x200)
    var another = caught
    another.link = 0x1234
    var dataAbort = caught
    dataAbort.syndrome = 0x25 << 26
    var behind = caught
    behind.vectors = vector - 0x800

    #expect(another.reason(executableAt: Self.isRAM) == nil)
    #expect(dataAbort.reason(executableAt: Self.isRAM) == nil)
    #expect(behind.reason(executableAt: Self.isRAM) == nil)
  }
}

@Suite struct FaultLogTests {
  @Test func aRingOutsideTheWindowIsToldWithWhatTheKernelMayLack() {
    let log = LogRecorder(from: .warning)
    let faults = FaultLog(log.logger, MachineEvents())

    faults.driverMisbehaved(DriverFaultEvent(device: "block0", queue: 0, fault: .ringOutsideWindow))
    faults.driverMisbehaved(DriverFaultEvent(device: "block0", queue: 0, fault: .ringMisaligned))

    let told = log.messages
    #expect(told.count == 2)
    #expect(told.first?.contains("CONFIG_DMA_RESTRICTED_POOL") == true)
    #expect(told.last?.hasSuffix("block0, queue 0: a part of the queue is not aligned") == true)
  }
}
