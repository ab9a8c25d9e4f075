import Host

/// How long the winding down of a machine waits for those who read what it leaves.
struct Patience {
  private let mailbox: Mailbox
  private let signals: SignalDescriptor?
  private let endsWithOrder: Bool
  /// Until when at most, in nanoseconds of the monotonic clock.
  private(set) var deadline: UInt64

  /// - Parameters:
  ///   - limit: in nanoseconds from now; nil is for as long as nobody orders the end.
  ///   - signals: looked at for an order.
  init(_ mailbox: Mailbox, signals: SignalDescriptor?, limit: UInt64?) {
    self.mailbox = mailbox
    self.signals = signals
    // Where the end was ordered before there is a limit, and that is all that is left.
    endsWithOrder = !mailbox.isOrdered
    deadline = limit.map { HostClock.monotonic + $0 } ?? .max
  }

  /// The same, but for at most so many nanoseconds from now.
  func atMost(_ limit: UInt64) -> Patience {
    var patience = self
    patience.deadline = min(deadline, HostClock.monotonic + limit)
    return patience
  }

  /// Whether nothing is waited for any longer.
  var isOver: Bool {
    // Nobody else may be there to take it: the device thread is the one that asks here.
    if let signal = signals?.take() { mailbox.order(.interrupted(by: signal)) }
    return HostClock.monotonic >= deadline || endsWithOrder && mailbox.isOrdered
  }
}
