import Peripherals
internal import Synchronization
import Virtio

/// The pvpanic device on the bus.
final class PanicNotifier: BusDevice, @unchecked Sendable {
  // SAFETY: @unchecked: all that changes is behind the mutex; the mailbox is for any thread.

  private let state = Mutex(Pvpanic())
  private let mailbox: Mailbox

  init(mailbox: Mailbox) {
    self.mailbox = mailbox
  }

  override func read(at offset: UInt64, width: Int) -> UInt64 {
    state.withLock { $0.read(at: offset, width: width) }
  }

  override func write(_ value: UInt64, at offset: UInt64, width: Int) {
    let reported = state.withLock { state in
      state.write(value, at: offset, width: width)
      return state.reported
    }
    if reported.contains(.panicked) {
      mailbox.give(Outcome(.panicked, "the guest reported a panic"))
    }
  }

  /// What the guest did wrong with the registers so far. From any thread.
  var events: RegisterEvents { state.withLock { $0.events } }

  /// What the guest can observe.
  var savedState: PanicNotifierState { state.withLock { PanicNotifierState(pvpanic: $0.state) } }

  /// Goes on from a state, before the guest's first instruction.
  func restore(_ saved: PanicNotifierState) {
    state.withLock { $0 = Pvpanic(state: saved.pvpanic) }
  }
}

/// A panic notifier's.
struct PanicNotifierState: VersionedState, Equatable {
  static let kind = "pvpanic"
  static let version: UInt32 = 1

  var pvpanic: Pvpanic.State
}
