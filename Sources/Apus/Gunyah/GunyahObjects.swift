import Gunyah
import KVM
internal import Synchronization

/// Whom an object of the hypervisor interrupts.
///
/// It lives under its object's lock, so that nobody interrupts a machine that has let go of the object.
enum InterruptTarget: Sendable {
  /// Nobody.
  case none
  /// A machine: an edge of one of its shared peripheral interrupts, counted from 0.
  case machine(SharedMachine, UInt32)
  /// The resource manager, which then looks at all its queues.
  case manager(ManagerBell)

  /// Interrupts it. From any thread.
  borrowing func raise() {
    switch self {
    case .none: break
    // An edge has no way back down.
    case .machine(let machine, let interrupt): machine.drive(interrupt, true)
    case .manager(let bell): bell.ring()
    }
  }
}

/// A message queue that two machines share, or a machine and the resource manager.
final class GunyahQueue: Sendable {
  private struct State: ~Copyable {
    var queue: MessageQueue
    var sender = InterruptTarget.none
    var receiver = InterruptTarget.none

    func raise(_ interrupts: MessageQueue.Interrupts) {
      if interrupts.contains(.receiver) { receiver.raise() }
      if interrupts.contains(.sender) { sender.raise() }
    }
  }

  private let state: Mutex<State>

  /// - Parameters:
  ///   - depth: in messages, one of ``MessageQueue/depths``.
  ///   - maximumSize: of a message, in bytes, one of ``MessageQueue/sizes``.
  init(depth: Int, maximumSize: Int) {
    state = Mutex(State(queue: MessageQueue(depth: depth, maximumSize: maximumSize)))
  }

  /// Says whom it interrupts from now on.
  func bind(sender: InterruptTarget? = nil, receiver: InterruptTarget? = nil) {
    state.withLock { state in
      if let sender { state.sender = sender }
      if let receiver { state.receiver = receiver }
    }
  }

  /// `msgq_send`: whether there is room for another message.
  ///
  /// Hot path: nothing is allocated.
  func send(
    size: UInt64,
    push: Bool,
    copy: (UnsafeMutableRawBufferPointer) throws(GunyahError) -> Void
  ) throws(GunyahError) -> Bool {
    try state.withLock { state throws(GunyahError) in
      // SAFETY: the place of the message is the closure's for the call.
      let sent = unsafe try state.queue.send(size: size, push: push, copy: copy)
      state.raise(sent.interrupts)
      return sent.isNotFull
    }
  }

  /// `msgq_recv`: how long the message was, and whether there are more.
  ///
  /// Hot path: nothing is allocated.
  func receive(
    capacity: UInt64,
    copy: (UnsafeRawBufferPointer) throws(GunyahError) -> Void
  ) throws(GunyahError) -> (size: Int, isNotEmpty: Bool) {
    try state.withLock { state throws(GunyahError) in
      // SAFETY: as above.
      let received = unsafe try state.queue.receive(capacity: capacity, copy: copy)
      state.raise(received.interrupts)
      return (received.size, received.isNotEmpty)
    }
  }

  /// `msgq_flush`.
  func flush() { state.withLock { $0.raise($0.queue.flush()) } }

  /// The machine that sends is gone: another one will.
  func resetSender() { state.withLock { $0.queue.resetSender() } }

  /// The machine that receives is gone, with what waited for it: another one will.
  func resetReceiver() { state.withLock { $0.raise($0.queue.resetReceiver()) } }

  /// `msgq_configure_send`.
  func configureSender(threshold: UInt64, delay: UInt64) throws(GunyahError) {
    try state.withLock { state throws(GunyahError) in
      state.raise(try state.queue.configureSender(threshold: threshold, delay: delay))
    }
  }

  /// `msgq_configure_recv`.
  func configureReceiver(threshold: UInt64, delay: UInt64) throws(GunyahError) {
    try state.withLock { state throws(GunyahError) in
      state.raise(try state.queue.configureReceiver(threshold: threshold, delay: delay))
    }
  }
}

// The manager's own end of a link, where messages are arrays.
extension GunyahQueue {
  /// The next message, or nil where there is none.
  func take() -> [UInt8]? {
    state.withLock { state in
      guard let (message, received) = try? state.queue.receive() else { return nil }
      state.raise(received.interrupts)
      return message
    }
  }

  /// Puts a message in.
  ///
  /// - Returns: false where there is no room; then the sender's interrupt comes when there is.
  func put(_ message: [UInt8]) -> Bool {
    state.withLock { state in
      // A guest whose driver had not set the interrupt up when one came hears of the next message, at least: Linux
      // takes all until the queue is empty.
      guard let sent = try? state.queue.send(message, push: true) else { return false }
      state.raise(sent.interrupts)
      return true
    }
  }
}

/// A doorbell between two machines. Its interrupts are edges, as the resource manager binds them.
final class GunyahDoorbell: Sendable {
  private struct State {
    var doorbell = Doorbell(trigger: .edge)
    var receiver = InterruptTarget.none

    func apply(_ line: Doorbell.Line) {
      if line == .pulse { receiver.raise() }
    }
  }

  private let state = Mutex(State())

  /// Says whom it interrupts from now on.
  func bind(receiver: InterruptTarget) { state.withLock { $0.receiver = receiver } }

  /// `bell_send`: the flags that were set before.
  ///
  /// Hot path: nothing is allocated.
  func send(_ flags: UInt64) throws(GunyahError) -> UInt64 {
    try state.withLock { state throws(GunyahError) in
      let sent = try state.doorbell.send(flags)
      state.apply(sent.line)
      return sent.oldFlags
    }
  }

  /// `bell_receive`: the flags that were set before.
  func receive(clearing flags: UInt64) throws(GunyahError) -> UInt64 {
    try state.withLock { state throws(GunyahError) in try state.doorbell.receive(clearing: flags) }
  }

  /// `bell_mask`.
  func mask(enable: UInt64, acknowledge: UInt64) {
    state.withLock { $0.apply($0.doorbell.mask(enable: enable, acknowledge: acknowledge)) }
  }

  /// `bell_reset`.
  func reset() { state.withLock { $0.apply($0.doorbell.reset()) } }
}

extension MachineResource {
  /// What a machine holds of an object.
  ///
  /// - Parameter interrupt: counted from 0 among the shared ones; nil where there is none.
  init(
    _ holder: GunyahGuest,
    _ partner: VMID,
    _ kind: Kind,
    _ label: UInt32,
    _ capability: CapabilityID,
    _ interrupt: UInt32?
  ) {
    self.init(
      holder: holder.vmid,
      partner: partner,
      kind: kind,
      label: label,
      capability: capability.rawValue,
      // As the GIC counts them: shared ones from 32.
      interrupt: interrupt.map { $0 + 32 } ?? 0
    )
  }
}
