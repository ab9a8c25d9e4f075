internal import Host
internal import Synchronization

/// The answers of a batch, until all are there.
final class ControlBatch: Sendable {
  private struct State {
    var answers: [[UInt8]?]
    var missing: Int
  }

  private let state: Mutex<State>

  init(count: Int) {
    state = Mutex(State(answers: Array(repeating: nil, count: count), missing: count))
  }

  /// - Returns: all answers in their order, with the last of them.
  func put(_ answer: [UInt8]?, at place: Int) -> [[UInt8]]? {
    state.withLock { state in
      state.answers[place] = answer
      state.missing -= 1
      return state.missing == 0 ? state.answers.compactMap(\.self) : nil
    }
  }
}

/// A client as everybody sees it who has something for it: what it is sent waits here for the server's thread.
package final class ControlPeer: Sendable {
  /// What waits for a client that does not read, in bytes, before notices for it are lost.
  package static let noticeLimit = 256 << 10

  private struct State {
    var outgoing: [UInt8] = []
    /// Requests that were taken and are not answered yet.
    var openRequests = 0
    var subscriptions: [(subscription: ControlSubscription, onEnd: @Sendable () -> Void)] = []
    var isClosed = false
    /// Whether the server's thread is about to look, so that nobody has to wake it.
    var isServed = false
    /// Whether something came meanwhile.
    var hasNews = false

    /// Whether the server's thread has to be woken for what has come.
    mutating func needsWaking() -> Bool {
      hasNews = true
      return !isServed
    }
  }

  private let state = Mutex(State())
  private let wake: @Sendable () -> Void
  private let number: @Sendable () -> UInt64

  /// - Parameters:
  ///   - wake: called from any thread: there is something to send.
  ///   - number: gives a number that no subscription has had.
  package init(wake: @escaping @Sendable () -> Void, number: @escaping @Sendable () -> UInt64) {
    self.wake = wake
    self.number = number
  }

  /// The server's thread looks after the client, and whoever has something for it need not wake that.
  func beginServing() {
    state.withLock { state in
      state.isServed = true
      state.hasNews = false
    }
  }

  /// - Returns: whether something came since the beginning, of this thread's or others' doing.
  func endServing() -> Bool {
    state.withLock { state in
      state.isServed = false
      return state.hasNews
    }
  }

  /// A request was taken, or a batch.
  func began() { state.withLock { $0.openRequests += 1 } }

  /// Requests without an answer, and what waits to be sent, in bytes.
  package var load: (openRequests: Int, bytes: Int) { state.withLock { ($0.openRequests, $0.outgoing.count) } }

  var hasSubscriptions: Bool { state.withLock { !$0.subscriptions.isEmpty } }

  /// Whether the client may subscribe to more: each subscription costs who has something to tell.
  var maySubscribe: Bool { state.withLock { $0.subscriptions.count < ControlProtocol.maximumSubscriptions } }

  /// Ends what ``began()`` began.
  func answer(_ message: [UInt8]?) {
    let isSleeping = state.withLock { state in
      state.openRequests -= 1
      guard !state.isClosed else { return false }
      if let message {
        state.outgoing += message
        state.outgoing.append(0x0A)
      }
      return state.needsWaking()
    }
    if isSleeping { wake() }
  }

  /// Sends a line that answers nothing.
  func send(_ message: [UInt8]) {
    began()
    answer(message)
  }

  fileprivate func tell(_ message: [UInt8]) -> Bool {
    let (isTaken, isSleeping) = state.withLock { state -> (Bool, Bool) in
      // A notice that is longer than that goes where nothing waits.
      let isFirst = state.outgoing.isEmpty
      guard !state.isClosed, isFirst || state.outgoing.count + message.count < Self.noticeLimit else {
        return (false, false)
      }
      state.outgoing += message
      state.outgoing.append(0x0A)
      return (true, isFirst && state.needsWaking())
    }
    if isSleeping { wake() }
    return isTaken
  }

  func subscribe(onEnd: @escaping @Sendable () -> Void) -> ControlSubscription {
    let subscription = ControlSubscription(self, number: number())
    let isClosed = state.withLock { state in
      if !state.isClosed { state.subscriptions.append((subscription, onEnd)) }
      return state.isClosed
    }
    if isClosed { onEnd() }
    return subscription
  }

  func unsubscribe(_ number: UInt64) -> UInt64? {
    let ended = state.withLock { state in
      state.subscriptions.firstIndex { $0.subscription.number == number }.map { state.subscriptions.remove(at: $0) }
    }
    ended?.onEnd()
    return ended?.subscription.lostInAll
  }

  /// What waits to be sent.
  func takeOutgoing() -> [UInt8] {
    state.withLock { state in
      var taken: [UInt8] = []
      swap(&taken, &state.outgoing)
      return taken
    }
  }

  /// The client has gone, or is dropped: nothing is kept for it any more.
  func close() {
    let ended = state.withLock { state in
      state.isClosed = true
      state.outgoing = []
      defer { state.subscriptions = [] }
      return state.subscriptions
    }
    for subscription in ended { subscription.onEnd() }
  }
}

/// Notices of one kind for one client.
public final class ControlSubscription: Sendable {
  /// By which the client knows it.
  public let number: UInt64

  private struct Losses {
    var untold: UInt64 = 0
    var inAll: UInt64 = 0
  }

  private let peer: ControlPeer
  private let losses = Mutex(Losses())

  init(_ peer: ControlPeer, number: UInt64) {
    self.peer = peer
    self.number = number
  }

  var lostInAll: UInt64 { losses.withLock { $0.inAll } }

  /// Tells the client something, unless it does not read: then the next one tells how many were lost. Never waits; from
  /// any thread. Notices of one thread keep their order.
  public func tell<Notice: ControlNotice>(_ notice: Notice.Type, _ content: Notice.Content) {
    losses.withLock { losses in
      let envelope = ControlEnvelope(subscription: number, lost: losses.untold)
      if peer.tell(ControlMessage.notice(notice, envelope, content)) {
        losses.untold = 0
      } else {
        losses.untold += 1
        losses.inAll += 1
      }
    }
  }
}
