import Host
import Peripherals
internal import Synchronization
import Virtio

/// The PL031 on the bus, with the host's clock and a timer for its alarm.
final class RealTimeClock: BusDevice, @unchecked Sendable {
  // SAFETY: @unchecked: all that changes is behind the mutex; the timer is a descriptor for any thread.

  private struct State {
    var clock: PL031
    var level = false
    var isSuspended = false
  }

  private let state: Mutex<State>
  private let interrupt: LevelInterrupt

  /// Fires when the alarm may be due.
  let alarm: HostTimer

  init(interrupt: LevelInterrupt) throws(HostError) {
    self.interrupt = interrupt
    state = Mutex(State(clock: PL031(now: HostClock.wallSeconds)))
    alarm = try HostTimer()
  }

  override func read(at offset: UInt64, width: Int) -> UInt64 {
    state.withLock { state in
      state.clock.advance(to: HostClock.wallSeconds)
      let value = state.clock.read(at: offset, width: width)
      settle(&state)
      return value
    }
  }

  override func write(_ value: UInt64, at offset: UInt64, width: Int) {
    state.withLock { state in
      state.clock.advance(to: HostClock.wallSeconds)
      state.clock.write(value, at: offset, width: width)
      settle(&state)
      if let seconds = state.clock.nextAlarm {
        alarm.arm(after: UInt64(seconds) * 1_000_000_000)
      } else {
        alarm.disarm()
      }
    }
  }

  /// What the guest did wrong with the registers so far. From any thread.
  var events: RegisterEvents { state.withLock { $0.clock.events } }

  /// The alarm's time may have come. On the device thread.
  func alarmFired() {
    alarm.clear()
    state.withLock { ring(&$0) }
  }

  /// Leaves the interrupt as it is: an alarm that becomes due rings with ``resume()``. On the device thread, while all
  /// vCPUs are held.
  func suspend() {
    state.withLock { $0.isSuspended = true }
  }

  /// Goes on, at the host's time. On the device thread.
  func resume() {
    state.withLock { state in
      state.isSuspended = false
      ring(&state)
    }
  }

  /// What the guest can observe. On the device thread, of a suspended clock.
  var savedState: RealTimeClockState {
    state.withLock { RealTimeClockState(clock: $0.clock.state, time: $0.clock.now) }
  }

  /// Goes on from a state, behind the interrupt controller and before the guest's first instruction: at the host's
  /// time, and an alarm that was due since rings with ``resume()``. On the device thread.
  func restore(_ saved: RealTimeClockState) {
    state.withLock { state in
      state.clock = PL031(state: saved.clock, now: saved.time)
      state.level = state.clock.interruptLevel
      interrupt.set(state.level)
      ring(&state)
    }
  }

  private func ring(_ state: inout State) {
    guard !state.isSuspended else { return }
    state.clock.advance(to: HostClock.wallSeconds)
    settle(&state)
    // The host's wall clock may have been set back meanwhile.
    if let seconds = state.clock.nextAlarm { alarm.arm(after: max(1, UInt64(seconds)) * 1_000_000_000) }
  }

  private func settle(_ state: inout State) {
    let level = state.clock.interruptLevel
    if level != state.level {
      state.level = level
      interrupt.set(level)
    }
  }
}

/// A real-time clock's. It goes by the host's clock, also across a snapshot.
struct RealTimeClockState: VersionedState, Equatable {
  static let kind = "pl031"
  static let version: UInt32 = 1

  var clock: PL031.State
  /// The host's time when the clock looked at it last, in seconds since 1970.
  var time: Int64
}
