internal import CHost
internal import Glibc
package import Host
internal import Synchronization

/// Serves the control socket of one machine, on a thread of its own.
///
/// Nobody who is served can hold up another, or the machine: lines are bounded, answers and notices wait for each
/// client up to a limit, and a client that reads nothing for ``Limits/patience`` is dropped.
package final class ControlServer: Sendable {
  /// What a server puts up with.
  package struct Limits: Sendable {
    /// How long a client may leave what is sent to it, in nanoseconds.
    package var patience: UInt64 = 10_000_000_000
    /// How many clients there may be at once.
    package var clients = 128
    /// How long the end waits for those who have not read everything, all of them together, in nanoseconds.
    package var endPatience: UInt64 = 200_000_000

    package init() {}
  }

  /// How many requests of one client are under way at once; more wait in its socket.
  package static let requestLimit = 64

  /// What the thread is told from outside.
  final class Inbox: Sendable {
    private struct State {
      var ready: [Int32] = []
      var isEnding = false
    }

    private let state = Mutex(State())
    let event: SharedEventDescriptor
    private let subscriptions = Atomic<UInt64>(0)

    init() throws(HostError) {
      event = SharedEventDescriptor(try EventDescriptor())
    }

    /// A client has something to be sent.
    func note(_ client: Int32) {
      let isFirst = state.withLock { state in
        state.ready.append(client)
        return state.ready.count == 1
      }
      if isFirst { event.value.signal() }
    }

    func end() {
      state.withLock { $0.isEnding = true }
      event.value.signal()
    }

    func take() -> (ready: [Int32], isEnding: Bool) {
      event.value.clear()
      return state.withLock { state in
        defer { state.ready = [] }
        return (state.ready, state.isEnding)
      }
    }

    func nextSubscription() -> UInt64 { subscriptions.add(1, ordering: .relaxed).newValue }
  }

  private let inbox: Inbox
  private let thread: HostThread
  private let listener: ControlListener

  /// Begins to serve.
  ///
  /// - Parameters:
  ///   - listener: is the server's from now on, and closed with it.
  ///   - table: gives what it answers, when the first client comes, on the server's thread: most machines have none,
  ///     and what it takes to make a table would be resident in each of them.
  ///   - limits: what it puts up with.
  ///   - onClient: told of clients that were dropped, as a line for the log; on the server's thread.
  /// - Throws: where the host gives no descriptor or thread.
  package init(
    _ listener: ControlListener,
    _ table: @escaping @Sendable () -> ControlTable,
    limits: Limits = Limits(),
    onClient: @escaping @Sendable (String) -> Void
  ) throws(HostError) {
    let inbox = try Inbox()
    self.inbox = inbox
    self.listener = listener
    let clients = try ControlClients(listener, table, limits, inbox, onClient)
    thread = try HostThread(name: "control") { clients.run() }
  }

  /// Ends: clients get what waits for them, and then the end of their connections; the socket's name goes. Whoever has
  /// requests to answer still does so before. Once.
  package func end() {
    inbox.end()
    thread.join()
    listener.close()
  }
}

/// The clients of a server. On its thread.
private final class ControlClients: @unchecked Sendable {
  // SAFETY: @unchecked: made before the server's thread starts, and used by that alone.

  private let listener: ControlListener
  /// Called once, by the first client's connection.
  private let makeTable: @Sendable () -> ControlTable
  private lazy var table = makeTable()
  private let limits: ControlServer.Limits
  private let inbox: ControlServer.Inbox
  private let onClient: @Sendable (String) -> Void
  private let loop: EventLoop
  private let clock: HostTimer
  private var clients: [Int32: ControlConnection] = [:]
  private var isListening = true
  /// Whether the clock will have somebody look.
  private var isClockSet = false

  init(
    _ listener: ControlListener,
    _ makeTable: @escaping @Sendable () -> ControlTable,
    _ limits: ControlServer.Limits,
    _ inbox: ControlServer.Inbox,
    _ onClient: @escaping @Sendable (String) -> Void
  ) throws(HostError) {
    self.listener = listener
    self.makeTable = makeTable
    self.limits = limits
    self.inbox = inbox
    self.onClient = onClient
    loop = try EventLoop()
    clock = try HostTimer()
    _ = try loop.add(listener.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in accept() })
    _ = try loop.add(
      inbox.event.value.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in answerInbox() }
    )
    _ = try loop.add(clock.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in look() })
  }

  func run() {
    do throws(HostError) {
      try loop.run()
    } catch {
      onClient("the control socket ends: \(error)")
    }
    // One for all of them: they may be many, and the machine's end waits.
    let deadline = HostClock.monotonic + limits.endPatience
    for client in clients.values { client.finish(by: deadline) }
    clients = [:]
    loop.removeAll()
  }

  private func accept() {
    while true {
      let number = chost_socket_accept(listener.rawValue)
      if number == -EMFILE || number == -ENFILE {
        // The listener stays ready; whoever goes makes room.
        loop.change(listener.rawValue, 0)
        isListening = false
        setClock(1_000_000_000)
        return
      }
      guard number >= 0 else { return }
      let socket = OwnedDescriptor(owning: number)
      let peer = ControlPeer(
        wake: { [inbox] in inbox.note(number) },
        number: { [inbox] in inbox.nextSubscription() }
      )
      let connection = ControlConnection(socket, peer, table)
      guard chost_socket_peer_is_ours(number) else {
        connection.refuse("another user has no business here")
        onClient("a client of another user was refused")
        continue
      }
      guard clients.count < limits.clients else {
        connection.refuse("there are \(limits.clients) clients already")
        onClient("a client was refused: there are \(limits.clients) already")
        continue
      }
      let handler = ClosureHandler { [unowned self] events in serve(number, events) }
      guard (try? loop.add(number, connection.events, handler)) == true else { continue }
      clients[number] = connection
    }
  }

  private func serve(_ number: Int32, _ events: UInt32) {
    guard let client = clients[number] else { return }
    // Nobody is there any more, and this comes until it is dropped: what it has asked before is taken, unless so much
    // is under way that nothing is read.
    if events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0, events & EPOLLIN.rawValue == 0 {
      return drop(number, nil)
    }
    if events & EPOLLIN.rawValue != 0 { client.read() }
    settle(number, client)
  }

  /// Sends what there is, and looks what the client is watched for.
  private func settle(_ number: Int32, _ client: ControlConnection) {
    client.work()
    if client.isOver { return drop(number, client.reason) }
    if client.isBlocked { setClock(limits.patience / 4) }
    if client.events != client.watched {
      client.watched = client.events
      loop.change(number, client.events)
    }
  }

  /// Has somebody look after a time, unless somebody will already: who is looked after often must not put it off for
  /// the others.
  private func setClock(_ nanoseconds: UInt64) {
    guard !isClockSet else { return }
    isClockSet = true
    clock.arm(after: nanoseconds)
  }

  private func drop(_ number: Int32, _ reason: String?) {
    guard let client = clients.removeValue(forKey: number) else { return }
    loop.remove(number)
    client.close()
    if let reason { onClient("a client of the control socket was dropped: \(reason)") }
    resumeListening()
  }

  private func resumeListening() {
    guard !isListening else { return }
    isListening = true
    loop.change(listener.rawValue, EventLoop.readable)
  }

  private func answerInbox() {
    let (ready, isEnding) = inbox.take()
    for number in ready {
      if let client = clients[number] { settle(number, client) }
    }
    if isEnding { loop.stop() }
  }

  /// Drops who has not read for too long.
  private func look() {
    clock.clear()
    isClockSet = false
    resumeListening()
    let now = HostClock.monotonic
    for (number, client) in clients where client.isBlocked {
      if now - client.lastProgress > limits.patience {
        drop(number, "it has read nothing for \(Duration.nanoseconds(limits.patience))")
      } else {
        setClock(limits.patience / 4)
      }
    }
  }
}
