import Peripherals
internal import Synchronization

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
}
