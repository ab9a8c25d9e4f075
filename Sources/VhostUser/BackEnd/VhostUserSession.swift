internal import Glibc
internal import Host
internal import Virtio

/// A conversation with one front-end: from its connection until it goes, says what it must not, or does not say what it
/// has begun.
///
/// On the server's thread.
final class VhostUserSession: EventHandler, @unchecked Sendable {
  // SAFETY: @unchecked: on the server's thread alone.

  /// How long a front-end may take for its first message, and for the rest of each that it has begun, in nanoseconds.
  static let patience: UInt64 = 5_000_000_000
  /// Messages of one turn, after which others get theirs.
  private static let turnLimit = 64

  private let socket: VhostUserSocket
  private let transport: VhostUserTransport
  private let thread: VhostUserThread
  private let timer: SharedTimer
  private let ended: (VhostUserError) -> Void
  private var isTimed = true
  /// A message is being done.
  private var isBusy = false
  private var isWatching = true
  /// Why it is over, from when on no message is taken any more.
  private var reason: VhostUserError?

  /// Begins a conversation.
  ///
  /// - Parameter ended: called once, when the device is at rest and released.
  /// - Throws: what the device's source throws, or ``HostError``.
  init(
    _ socket: VhostUserSocket,
    source: any VhostUserDeviceSource,
    thread: VhostUserThread,
    observer: any DriverFaultObserver,
    ended: @escaping (VhostUserError) -> Void
  ) throws {
    self.socket = socket
    self.thread = thread
    self.ended = ended
    timer = SharedTimer(try HostTimer())
    transport = try VhostUserTransport(source: source, thread: thread, observer: observer)
    super.init()
    do throws(HostError) {
      _ = try thread.loop.add(socket.rawValue, EventLoop.readable, self)
      let handler = ClosureHandler { [unowned self] _ in end(.timedOut("or finish a message")) }
      _ = try thread.loop.add(timer.value.rawValue, EventLoop.readable, handler)
    } catch {
      stopWatching()
      transport.end {}
      throw error
    }
    transport.onFailure = { [unowned self] error in end(error) }
    timer.value.arm(after: Self.patience)
  }

  override func ready(_ events: UInt32) {
    guard isBusy else { return takeMessages() }
    // It has gone, which no one need be told again and again until the message is done.
    reason = reason ?? .disconnected
    stopWatching()
  }

  private func takeMessages() {
    do throws(VhostUserError) {
      var left = Self.turnLimit
      while !isBusy, reason == nil, left > 0 {
        guard let message = try socket.receive() else { break }
        left -= 1
        isBusy = true
        transport.take(message) { [self] answer in done(message, answer) }
      }
    } catch {
      return end(error)
    }
    guard reason == nil else { return }
    watch(!isBusy)
    setTimer(socket.isAmidMessage)
  }

  private func watch(_ watches: Bool) {
    guard watches != isWatching else { return }
    isWatching = watches
    thread.loop.change(socket.rawValue, watches ? EventLoop.readable : 0)
  }

  private func setTimer(_ isNeeded: Bool) {
    guard isNeeded != isTimed else { return }
    isTimed = isNeeded
    if isNeeded { timer.value.arm(after: Self.patience) } else { timer.value.disarm() }
  }

  private func done(_ message: VhostUserMessage, _ answer: VhostUserAnswer) {
    isBusy = false
    let wantsAnswer = message.needsReply && transport.protocolFeatures.contains(.replyAck)
    do throws(VhostUserError) {
      switch answer {
      case .done: if wantsAnswer { try reply(to: message, status(0)) }
      case .reply(let payload): try reply(to: message, payload)
      case .failed(let error):
        if wantsAnswer { try? reply(to: message, status(1)) }
        throw error
      }
    } catch {
      return end(error)
    }
    if let reason { return end(reason) }
    // Where it was not done at once, nobody comes back to look for the next one.
    watch(true)
  }

  private func status(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: value)
    return bytes
  }

  private func reply(to message: VhostUserMessage, _ payload: [UInt8]) throws(VhostUserError) {
    try socket.send(
      VhostUserMessage(
        request: message.request,
        flags: VhostUserWire.version | VhostUserWire.replyFlag,
        payload: payload
      )
    )
    // There is room for many; a front-end that has read none of them reads none.
    guard try socket.flush() else { throw .timedOut("by reading what it asked for") }
  }

  private func stopWatching() {
    thread.loop.remove(socket.rawValue)
    thread.loop.remove(timer.value.rawValue)
  }

  /// Ends the conversation; again and again is once.
  func end(_ error: VhostUserError) {
    let isFirst = reason == nil || !isBusy && !isEnding
    reason = reason ?? error
    stopWatching()
    // What is being done comes to its end first.
    guard !isBusy, isFirst else { return }
    isEnding = true
    transport.end { [self] in ended(reason ?? error) }
  }

  private var isEnding = false
}
