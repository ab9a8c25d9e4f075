internal import CHost
internal import Glibc
package import Host
internal import Synchronization

/// Serves the control socket of one machine, on a thread of its own.
///
/// Nobody who is served can hold up another, or the machine: lines are bounded, answers and notices wait for each
/// client up to a limit, and a client that reads nothing for ``patience`` is dropped.
package final class ControlServer: Sendable {
  /// How long a client may leave what is sent to it, in nanoseconds.
  package static let patience: UInt64 = 10_000_000_000
  /// How many clients there may be at once.
  package static let clientLimit = 128
  /// How many requests of one client are under way at once; more wait in its socket.
  static let requestLimit = 64
  /// How long the end waits for clients that have not read everything, in milliseconds.
  static let endPatience: Int32 = 200

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
  ///   - table: what it answers.
  ///   - onClient: told of clients that were dropped, as a line for the log; on the server's thread.
  /// - Throws: where the host gives no descriptor or thread.
  package init(
    _ listener: ControlListener,
    _ table: ControlTable,
    onClient: @escaping @Sendable (String) -> Void
  ) throws(HostError) {
    let inbox = try Inbox()
    self.inbox = inbox
    self.listener = listener
    let clients = try ControlClients(listener, table, inbox, onClient)
    thread = try HostThread(name: "control") { clients.run() }
  }

  /// Ends: requests that nobody has answered yet are, by an error, clients get what waits for them, and the socket's
  /// name goes. Once.
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
  private let table: ControlTable
  private let inbox: ControlServer.Inbox
  private let onClient: @Sendable (String) -> Void
  private let loop: EventLoop
  private let clock: HostTimer
  private var clients: [Int32: ControlConnection] = [:]
  private var isListening = true

  init(
    _ listener: ControlListener,
    _ table: ControlTable,
    _ inbox: ControlServer.Inbox,
    _ onClient: @escaping @Sendable (String) -> Void
  ) throws(HostError) {
    self.listener = listener
    self.table = table
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
    for client in clients.values { client.finish(within: ControlServer.endPatience) }
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
        clock.arm(after: 1_000_000_000)
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
      guard clients.count < ControlServer.clientLimit else {
        connection.refuse("there are \(ControlServer.clientLimit) clients already")
        onClient("a client was refused: there are \(ControlServer.clientLimit) already")
        continue
      }
      let handler = ClosureHandler { [unowned self] events in serve(number, events) }
      guard (try? loop.add(number, connection.events, handler)) == true else { continue }
      clients[number] = connection
    }
  }

  private func serve(_ number: Int32, _ events: UInt32) {
    guard let client = clients[number] else { return }
    if events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0, !client.hasInput { return drop(number, nil) }
    if events & EPOLLIN.rawValue != 0 { client.read() }
    settle(number, client)
  }

  /// Sends what there is, and looks what the client is watched for.
  private func settle(_ number: Int32, _ client: ControlConnection) {
    client.work()
    if client.isOver { return drop(number, client.reason) }
    if client.isBlocked { clock.arm(after: ControlServer.patience / 4) }
    if client.events != client.watched {
      client.watched = client.events
      loop.change(number, client.events)
    }
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
    resumeListening()
    let now = HostClock.monotonic
    for (number, client) in clients where client.isBlocked {
      if now - client.lastProgress > ControlServer.patience {
        drop(number, "it has read nothing for \(ControlServer.patience / 1_000_000_000) s")
      } else {
        clock.arm(after: ControlServer.patience / 4)
      }
    }
  }
}
