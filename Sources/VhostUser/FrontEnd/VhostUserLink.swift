package import Host
internal import Synchronization

/// How a back-end is reached. On the link's thread.
package protocol VhostUserConnector: AnyObject, Sendable {
  /// What is reached, for people.
  var subject: String { get }

  /// Connects, or starts the back-end.
  ///
  /// - Parameter loop: the link's, for what else is to be watched while the connection lasts.
  /// - Throws: ``VhostUserError``.
  func connect(_ loop: EventLoop) throws(VhostUserError) -> VhostUserSocket

  /// The connection is of no use any longer: the back-end is to end, and with it what it does with the memory that it
  /// was lent.
  ///
  /// - Parameter error: why.
  func disconnect(_ error: VhostUserError) -> VhostUserEnd
}

/// How a connection ended.
package struct VhostUserEnd: Sendable {
  /// Why, as far as is known now.
  package var error: VhostUserError
  /// Whether nobody uses any longer what was lent.
  package var isDead: Bool

  /// An end with its reason.
  package init(error: VhostUserError, isDead: Bool) {
    self.error = error
    self.isDead = isDead
  }
}

/// How long a link waits for what, in nanoseconds.
package struct VhostUserPatience: Sendable {
  /// For one answer.
  package var answer: UInt64 = 5_000_000_000
  /// Before the first new connection. Each further pause is twice as long, up to ``lastPause``.
  package var firstPause: UInt64 = 50_000_000
  /// Before a new connection at most.
  package var lastPause: UInt64 = 2_000_000_000
  /// A connection that lived so long is no sign of a lasting trouble, unless no ring came to run in it: the pauses
  /// begin anew.
  package var goodLife: UInt64 = 1_000_000_000

  /// What suits programs on the same host.
  package init() {}
}

/// What a link tells of itself. On the link's thread.
package enum VhostUserLinkEvent: Sendable {
  /// The connection is over. `isDead`: nobody uses any longer what was lent.
  case lost(VhostUserError, isDead: Bool)
  /// It was not to be had again, and is tried again. Told at each try.
  case away(VhostUserError)
  /// There is a new one, with nothing started yet.
  ///
  /// `generation`: of this connection, by which jobs for it are known.
  case returned(VhostUserOffer, generation: UInt64)
  /// The configuration space has changed.
  case configuration([UInt8])
}

/// The connection with one back-end, over all boots: a thread that talks with it, waits for its answers, notices its
/// end and connects again. What it is told to do, it does one after the other.
package final class VhostUserLink: @unchecked Sendable {
  // SAFETY: @unchecked: `state` is behind its mutex; the rest is the link's thread's, or the caller's of `open()`
  // before there is one.

  /// How long no further change of the configuration space is read, in nanoseconds.
  private static let changePause: UInt64 = 10_000_000

  typealias Job = @Sendable (FrontEndChannel) throws(VhostUserError) -> Void
  typealias Finished = @Sendable (VhostUserError?) -> Void

  private struct State: Sendable {
    var jobs: [(generation: UInt64, job: Job, finished: Finished)] = []
    /// Counts the connections.
    var generation: UInt64 = 0
    var drop: String?
    var isClosing = false
    /// The present connection's, for whoever ends it in the middle of an answer.
    var socket: VhostUserSocket?
    var listener: (@Sendable (VhostUserLinkEvent) -> Void)?
  }

  private let connector: any VhostUserConnector
  private let configurationSize: Int
  private let wantsState: Bool
  private let state = Mutex(State())
  private let wake: SharedEventDescriptor
  private let loop: EventLoop
  private let timer: SharedTimer
  private let changeTimer: SharedTimer
  private var channel: FrontEndChannel?
  private var thread: HostThread?
  private let patience: VhostUserPatience
  private var pause: UInt64
  private var connectedAt: UInt64 = 0

  /// - Parameters:
  ///   - configurationSize: how many bytes of configuration space the back-end is asked for; 0: none.
  ///   - wantsState: whether it is to hand over what it knows of its guest, where it can.
  /// - Throws: where the host has no descriptor left.
  package init(
    _ connector: any VhostUserConnector,
    configurationSize: Int,
    wantsState: Bool = false,
    patience: VhostUserPatience = VhostUserPatience()
  ) throws(HostError) {
    self.connector = connector
    self.patience = patience
    pause = patience.firstPause
    self.configurationSize = configurationSize
    self.wantsState = wantsState
    wake = SharedEventDescriptor(try EventDescriptor())
    loop = try EventLoop()
    timer = SharedTimer(try HostTimer())
    changeTimer = SharedTimer(try HostTimer())
  }

  deinit {
    precondition(thread == nil, "a link is closed before it goes")
  }

  /// What is reached, for people.
  package var subject: String { connector.subject }

  /// Of the present connection. On any thread.
  package var generation: UInt64 { state.withLock { $0.generation } }

  /// Connects for the first time, and waits for it. Before ``begin()``.
  ///
  /// - Throws: ``VhostUserError``.
  package func open() throws(VhostUserError) -> VhostUserOffer {
    do throws(VhostUserError) {
      return try connect()
    } catch {
      throw connector.disconnect(error).error
    }
  }

  private func connect() throws(VhostUserError) -> VhostUserOffer {
    let socket = try connector.connect(loop)
    state.withLock { $0.socket = socket }
    let channel = FrontEndChannel(socket, answerLimit: patience.answer)
    let offer = try channel.begin(
      configurationSize: configurationSize,
      wantsChanges: true,
      wantsState: wantsState
    )
    self.channel = channel
    connectedAt = HostClock.monotonic
    state.withLock { $0.generation += 1 }
    return offer
  }

  /// Starts the thread. Once.
  ///
  /// - Throws: where the host gives none.
  package func begin() throws(HostError) {
    _ = try loop.add(
      wake.value.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in work() }
    )
    _ = try loop.add(timer.value.rawValue, EventLoop.readable, ClosureHandler { [unowned self] _ in reconnect() })
    _ = try loop.add(
      changeTimer.value.rawValue,
      EventLoop.readable,
      ClosureHandler { [unowned self] _ in
        changeTimer.value.clear()
        if let requests = channel?.requests { loop.change(requests.rawValue, EventLoop.readable) }
      }
    )
    watch()
    thread = try HostThread(name: "vhost-user") { [unowned self] in
      do throws(HostError) { try loop.run() } catch { lost(.host("\(error)")) }
    }
  }

  /// Who is told of what happens to the connection, on the link's thread; nil: nobody.
  package func setListener(_ listener: (@Sendable (VhostUserLinkEvent) -> Void)?) {
    state.withLock { $0.listener = listener }
  }

  /// Has the link's thread do something with the back-end.
  ///
  /// - Parameters:
  ///   - generation: of the connection that is meant; where there is another one by then, nothing is done.
  ///   - finished: called there, with what went wrong; the connection is lost then.
  func run(_ generation: UInt64, _ job: @escaping Job, _ finished: @escaping Finished = { _ in }) {
    state.withLock { $0.jobs.append((generation, job, finished)) }
    wake.value.signal()
  }

  /// Ends the connection for what the back-end did elsewhere. From any thread.
  func drop(_ reason: String) {
    state.withLock { state in
      state.drop = reason
      state.socket?.shutDown()
    }
    wake.value.signal()
  }

  /// Ends the connection and the thread, whatever the back-end is at. From any thread but the link's.
  package func close() {
    state.withLock { state in
      state.isClosing = true
      state.listener = nil
      state.jobs = []
      state.socket?.shutDown()
    }
    wake.value.signal()
    thread?.join()
    thread = nil
    loop.removeAll()
    guard let channel else { return }
    self.channel = nil
    channel.socket.shutDown()
    _ = connector.disconnect(.timedOut("the end"))
  }

  // MARK: On the link's thread

  private func tell(_ event: VhostUserLinkEvent) {
    state.withLock { $0.listener }?(event)
  }

  private func work() {
    wake.value.clear()
    while true {
      let (next, drop, isClosing) = state.withLock { state in
        defer { state.drop = nil }
        let next = state.jobs.isEmpty || state.drop != nil ? nil : state.jobs.removeFirst()
        return (next, state.drop, state.isClosing)
      }
      if isClosing { return loop.stop() }
      if let drop {
        lost(.malformed(drop))
        continue
      }
      guard let next else { return }
      guard let channel, next.generation == generation else {
        next.finished(.disconnected)
        continue
      }
      do throws(VhostUserError) {
        try next.job(channel)
        next.finished(nil)
      } catch {
        next.finished(error)
        lost(error)
      }
    }
  }

  /// Watches the socket for what nobody has asked for, and the back-end's own channel.
  private func watch() {
    guard let channel else { return }
    do throws(HostError) {
      _ = try loop.add(
        channel.socket.rawValue,
        EventLoop.readable,
        ClosureHandler { [unowned self] _ in unsolicited() }
      )
      if let requests = channel.requests {
        _ = try loop.add(
          requests.rawValue,
          EventLoop.readable,
          ClosureHandler { [unowned self] _ in readChanges() }
        )
      }
    } catch {
      lost(.host("\(error)"))
    }
  }

  private func unsolicited() {
    guard let channel else { return }
    do throws(VhostUserError) {
      guard let message = try channel.socket.receive() else { return }
      throw .malformed("message \(message.request), for which nobody has asked")
    } catch {
      lost(error)
    }
  }

  /// The configuration space is read once for all changes of a short time.
  private func readChanges() {
    guard let channel else { return }
    do throws(VhostUserError) {
      guard try channel.takeRequests() else { return }
      if let requests = channel.requests { loop.change(requests.rawValue, 0) }
      changeTimer.value.arm(after: Self.changePause)
      tell(.configuration(try channel.configuration(size: configurationSize)))
    } catch {
      lost(error)
    }
  }

  private func lost(_ error: VhostUserError) {
    guard let channel else { return }
    // Whoever ended it has said why, also where its end is noticed first.
    let error = state.withLock { state in
      defer { state.drop = nil }
      return state.drop.map { .malformed($0) } ?? error
    }
    loop.remove(channel.socket.rawValue)
    if let requests = channel.requests { loop.remove(requests.rawValue) }
    self.channel = nil
    state.withLock { $0.socket = nil }
    // Its end may take longer than its life did.
    let lived = HostClock.monotonic - connectedAt
    // The other side sees the end of the connection before anybody waits for its own.
    channel.socket.shutDown()
    let end = connector.disconnect(error)
    tell(.lost(end.error, isDead: end.isDead))
    if lived > patience.goodLife, !channel.isLentInVain { pause = patience.firstPause }
    tryAgainLater()
  }

  private func tryAgainLater() {
    timer.value.arm(after: pause)
    pause = min(2 * pause, patience.lastPause)
  }

  private func reconnect() {
    timer.value.clear()
    guard channel == nil else { return }
    do throws(VhostUserError) {
      let offer = try connect()
      watch()
      if channel != nil { tell(.returned(offer, generation: generation)) }
    } catch {
      let error = connector.disconnect(error).error
      tell(.away(error))
      tryAgainLater()
    }
  }
}
