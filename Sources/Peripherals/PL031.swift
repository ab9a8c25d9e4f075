// Section numbers are those of the PrimeCell Real Time Clock (PL031) Technical Reference Manual, ARM DDI 0224.

/// The PrimeCell real-time clock (PL031), ARM DDI 0224: a counter of seconds with an alarm.
///
/// The device has no clock of its own: the owner says what time it is with ``advance(to:)`` before each access and when
/// the alarm is due (``nextAlarm``). The clock always runs; RTCCR reads as 1, and a guest can set but not stop it.
public struct PL031: RegisterBlock {
  public static var size: UInt64 { 0x1000 }

  /// All that the guest can observe; see ``State``.
  public private(set) var state: State

  public var events = RegisterEvents()

  /// The owner's time at the last ``advance(to:)``, in seconds.
  public private(set) var now: Int64

  /// A clock that shows `now`.
  ///
  /// - Parameter now: in seconds, for a guest that is to see the time of day since 1970-01-01 00:00 UTC.
  public init(now: Int64) {
    self.init(state: State(), now: now)
  }

  /// A clock that goes on from `state`. Time that passed in between has passed for the guest as well.
  ///
  /// - Parameter now: in seconds. With the time at which the state was taken, the next ``advance(to:)`` raises an alarm
  ///   that was due since; with the present time such an alarm is not made up for.
  public init(state: State, now: Int64) {
    self.state = state
    self.now = now
  }

  /// Whether RTCINTR is asserted. Level-triggered, active high.
  public var interruptLevel: Bool { state.rtcRIS && state.rtcIMSC }

  /// How many seconds after the time of the last ``advance(to:)`` the counter reaches the alarm and the interrupt is
  /// asserted: 1...2³². `nil` while the interrupt is masked or asserted already, so that there is nothing to wait for.
  public var nextAlarm: UInt64? {
    guard state.rtcIMSC, !state.rtcRIS else { return nil }
    let distance = state.rtcMR &- counter
    return distance == 0 ? 1 << 32 : UInt64(distance)
  }

  /// Tells the device the time. An alarm that lies between the last time and this one is raised. Time that goes back
  /// takes the counter back.
  ///
  /// - Parameter now: in whole seconds, of the clock that ``init(now:)`` began with.
  public mutating func advance(to now: Int64) {
    if now > self.now {
      let elapsed = UInt64(bitPattern: now &- self.now)
      let distance = state.rtcMR &- counter
      if distance != 0 && elapsed >= UInt64(distance) { state.rtcRIS = true }
    }
    self.now = now
  }

  /// RTCDR: 32 bits that wrap.
  private var counter: UInt32 { UInt32(truncatingIfNeeded: now) &+ state.offset }

  /// Where the registers are, in bytes from the start of the block (section 3.2).
  private enum Register: UInt64 {
    /// 3.3.1, data: the time; read-only.
    case rtcDR = 0x000
    /// 3.3.2, match: the alarm.
    case rtcMR = 0x004
    /// 3.3.3, load: sets the time.
    case rtcLR = 0x008
    /// 3.3.4, control.
    case rtcCR = 0x00C
    /// 3.3.5, interrupt mask set and clear.
    case rtcIMSC = 0x010
    /// 3.3.6, raw interrupt status; read-only.
    case rtcRIS = 0x014
    /// 3.3.7, masked interrupt status; read-only.
    case rtcMIS = 0x018
    /// 3.3.8, interrupt clear; write-only.
    case rtcICR = 0x01C
    /// 3.3.9, peripheral identification; read-only.
    case rtcPeriphID0 = 0xFE0
    case rtcPeriphID1 = 0xFE4
    case rtcPeriphID2 = 0xFE8
    case rtcPeriphID3 = 0xFEC
    /// 3.3.10, PrimeCell identification; read-only.
    case rtcPCellID0 = 0xFF0
    case rtcPCellID1 = 0xFF4
    case rtcPCellID2 = 0xFF8
    case rtcPCellID3 = 0xFFC
  }

  public mutating func read(at offset: UInt64, width: Int) -> UInt64 {
    guard let register = Register(rawValue: offset) else {
      events.record(.unknownOffset, at: offset, width: width)
      return 0
    }
    if width != 4 { events.record(.unsupportedWidth, at: offset, width: width) }
    let value: UInt32
    switch register {
    case .rtcDR: value = counter
    case .rtcMR: value = state.rtcMR
    case .rtcLR: value = state.rtcLR
    case .rtcCR: value = 1
    case .rtcIMSC: value = state.rtcIMSC ? 1 : 0
    case .rtcRIS: value = state.rtcRIS ? 1 : 0
    case .rtcMIS: value = interruptLevel ? 1 : 0
    case .rtcICR:
      events.record(.readOfWriteOnly, at: offset, width: width)
      value = 0
    // Part number 0x031, designer 0x41 (Arm), revision 1, configuration 0.
    case .rtcPeriphID0: value = 0x31
    case .rtcPeriphID1: value = 0x10
    case .rtcPeriphID2: value = 0x14
    case .rtcPeriphID3: value = 0x00
    case .rtcPCellID0: value = 0x0D
    case .rtcPCellID1: value = 0xF0
    case .rtcPCellID2: value = 0x05
    case .rtcPCellID3: value = 0xB1
    }
    return truncated(value, to: width)
  }

  public mutating func write(_ value: UInt64, at offset: UInt64, width: Int) {
    guard let register = Register(rawValue: offset) else {
      events.record(.unknownOffset, at: offset, width: width, written: value)
      return
    }
    if width != 4 { events.record(.unsupportedWidth, at: offset, width: width, written: value) }
    let word = UInt32(truncatingIfNeeded: value)
    switch register {
    case .rtcMR:
      state.rtcMR = word
      raiseIfDue()
    case .rtcLR:
      state.rtcLR = word
      state.offset = word &- UInt32(truncatingIfNeeded: now)
      raiseIfDue()
    case .rtcCR:
      // 3.3.4: once the clock is enabled, writes have no effect until reset.
      break
    case .rtcIMSC: state.rtcIMSC = word & 1 != 0
    case .rtcICR: if word & 1 != 0 { state.rtcRIS = false }
    case .rtcDR, .rtcRIS, .rtcMIS, .rtcPeriphID0, .rtcPeriphID1, .rtcPeriphID2, .rtcPeriphID3, .rtcPCellID0,
      .rtcPCellID1, .rtcPCellID2, .rtcPCellID3:
      events.record(.writeToReadOnly, at: offset, width: width, written: value)
    }
  }

  private mutating func raiseIfDue() {
    if counter == state.rtcMR { state.rtcRIS = true }
  }
}

extension PL031 {
  /// All that the guest can observe of the clock, with the values after reset. It holds no time of its own: the counter
  /// is the owner's time plus ``offset``.
  public struct State: Equatable, Sendable, Codable {
    /// Guest's time minus owner's time, in seconds, modulo 2³².
    public var offset: UInt32 = 0
    /// The alarm, in seconds of the guest's time, modulo 2³².
    public var rtcMR: UInt32 = 0
    /// What the guest set the counter to last, as it reads it back.
    public var rtcLR: UInt32 = 0
    /// Whether the alarm's interrupt reaches the guest.
    public var rtcIMSC = false
    /// Whether the counter has reached the alarm since the guest last cleared it.
    public var rtcRIS = false

    public init() {}
  }
}
