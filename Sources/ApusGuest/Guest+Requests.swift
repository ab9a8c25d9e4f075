internal import AgentProtocol
internal import Apus
internal import Synchronization
internal import TestLimits

extension Guest {
  /// Asks the agent for something and waits for its end.
  ///
  /// - Parameters:
  ///   - what: in words, for messages.
  ///   - limit: how long to wait on a machine that has nothing else to do.
  ///   - input: goes to the program or file, whole.
  ///   - feed: gets what more input is sent by, and ended; without it, `input` is all there is.
  ///   - answers: gets what comes before the end, on another thread.
  /// - Throws: ``GuestError``; a program that runs then is killed.
  func request(
    _ request: AgentFrame.Request,
    _ payload: [UInt8],
    _ what: String,
    within limit: Duration,
    input: [UInt8] = [],
    feed: (@Sendable (GuestInput) -> Void)? = nil,
    answers: @escaping @Sendable (AgentConnection.Event) -> Void
  ) async throws(GuestError) -> CommandResult.End {
    guard let agent else { throw .noAgent }
    let wait = OneEnd()
    let stream = agent.begin(request, payload) { event in
      if event.isLast { wait.end(.answered(event)) } else { answers(event) }
    }
    agent.send(input, to: stream, ends: feed == nil)
    feed?(GuestInput(agent, stream))
    let clock = Task {
      try await sleep(through: limit)
      wait.end(.timedOut)
    }
    let end = await withTaskCancellationHandler {
      await wait.value
    } onCancel: {
      wait.end(.cancelled)
    }
    clock.cancel()
    switch end {
    case .answered(.exited(let status)): return .exited(status: status)
    case .answered(.killed(let signal)): return .killed(signal: signal)
    case .answered(.failed(let errno, .program)): throw .refused(what: what, errno: errno)
    case .answered(.failed(let errno, .folder)): throw .refused(what: "the folder that \(what) runs in", errno: errno)
    case .answered(.failed(let errno, .root)): throw .refused(what: "the root of \(what)", errno: errno)
    case .answered(.lost(.ended)):
      throw .ended(during: what, await machine.outcome, lastWords: await console.lastLines(ofWhole: true))
    case .answered: throw .agentLost(during: what)
    case .timedOut:
      agent.signal(Self.kill, to: stream)
      throw .timedOut(what: what, limit: limit, lastWords: await console.lastLines(ofWhole: false))
    case .cancelled:
      agent.signal(Self.kill, to: stream)
      throw .cancelled(what: what)
    }
  }

  private static let kill: Int32 = 9

  /// Waits until a limit of this guest's is over, or throws where the task is cancelled before.
  func sleep(through limit: Duration) async throws {
    if limitsAreWall { return try await Task.sleep(for: limit) }
    let limit = TestLimit(limit)
    while !limit.hasPassed { try await Task.sleep(for: .milliseconds(100)) }
  }
}

/// The first of several ends that something can come to.
private final class OneEnd: Sendable {
  enum End: Sendable {
    case answered(AgentConnection.Event)
    case timedOut
    case cancelled
  }

  private struct State {
    var end: End?
    var waiter: CheckedContinuation<End, Never>?
  }

  private let state = Mutex(State())

  func end(_ end: End) {
    let waiter = state.withLock { state -> CheckedContinuation<End, Never>? in
      guard state.end == nil else { return nil }
      state.end = end
      return state.waiter.take()
    }
    waiter?.resume(returning: end)
  }

  var value: End {
    get async {
      await withCheckedContinuation { continuation in
        let end = state.withLock { state in
          if state.end == nil { state.waiter = continuation }
          return state.end
        }
        if let end { continuation.resume(returning: end) }
      }
    }
  }
}
