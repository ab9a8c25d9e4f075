internal import CLinux
internal import Glibc
import KVM
internal import Logging

/// The way between a guest's console and where the configuration says it leads. Lives on the device thread.
///
/// Not generic over the port: the type's metadata would be made at run time, at a price of more instructions than a
/// console's whole start, and what goes through here goes by batches.
final class ConsoleLink {
  /// How much one system call moves: what a pipe takes without blocking once it is writable.
  private static var chunkSize: Int { 4096 }
  /// How many of those one turn of the loop moves: a guest may never stop writing, and others have their work, too.
  private static var turnLimit: Int { 64 }
  /// How often a pseudo-terminal without a reader is looked at, in nanoseconds.
  private static var readerPollTime: UInt64 { 100_000_000 }

  private let endpoint: ConsoleEndpoint
  private let input: ConsoleEndpoint.Input
  private let port: any GuestConsole
  private let loop: EventLoop
  private let verdict: Verdict
  private let logger: Logger
  private var pending: ArraySlice<UInt8> = []
  /// What the run comes to because output could not be written.
  private var loss: Outcome?
  private var isWaitingForOutput = false
  private var isInputPolled = false
  private var hasInputEnded = false
  private let readerTimer: HostTimer
  private var escapes = EscapeSequence()

  /// - Parameter takesInput: whether input is for this one of the guest's consoles.
  init(
    endpoint: ConsoleEndpoint,
    port: any GuestConsole,
    takesInput: Bool,
    loop: EventLoop,
    verdict: Verdict,
    logger: Logger
  ) throws(HostError) {
    self.endpoint = endpoint
    input = takesInput ? endpoint.input : .none
    self.port = port
    self.loop = loop
    self.verdict = verdict
    self.logger = logger
    readerTimer = try HostTimer()
    _ = try loop.add(
      port.outputDescriptor,
      EPOLLIN.rawValue,
      ClosureHandler { [unowned self] _ in
        port.answerOutput()
        flush()
      }
    )
    _ = try loop.add(
      port.inputRoomDescriptor,
      EPOLLIN.rawValue,
      ClosureHandler { [unowned self] _ in
        port.answerInputRoom()
        resumeInput()
      }
    )
    if endpoint.isPseudoTerminal, takesInput {
      _ = try loop.add(
        readerTimer.rawValue,
        EPOLLIN.rawValue,
        ClosureHandler { [unowned self] _ in
          readerTimer.answer()
          resumeInput()
        }
      )
    }
    if case .stream(let stream) = input { stream.connect(onInput: port.ringInputRoom) }
    resumeInput()
  }

  /// Takes everything out of the loop again.
  func disconnect() {
    loop.remove(port.outputDescriptor)
    loop.remove(port.inputRoomDescriptor)
    loop.remove(readerTimer.rawValue)
    if case .descriptor(let descriptor) = input { loop.remove(descriptor) }
    if case .descriptor(let descriptor) = endpoint.output { loop.remove(descriptor) }
  }

  // MARK: Output

  /// Moves what the guest has written, as far as it goes without waiting.
  private func flush() {
    switch moveOutput() {
    case .done: break
    case .more: port.armOutput(after: 1)
    case .wouldBlock(let descriptor): waitForOutput(descriptor)
    case .failed(let errno):
      pending = []
      let failure = failure(errno)
      loss = failure
      verdict.give(failure)
    }
  }

  /// Moves all that is left, waiting for the reader, for at most `limit` nanoseconds or until `shouldStop` says so.
  ///
  /// - Returns: what the run has come to where some of it cannot be written, or could not before.
  func drain(limit: UInt64?, shouldStop: () -> Bool) -> Outcome? {
    if let loss { return loss }
    let start = HostClock.monotonic
    while true {
      let movement = moveOutput()
      switch movement {
      case .done: return nil
      case .failed(let errno): return failure(errno)
      case .more, .wouldBlock: break
      }
      if let limit, HostClock.monotonic - start >= limit { return nil }
      if shouldStop() { return nil }
      if case .wouldBlock(let descriptor) = movement {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&request, 1, 50)
      }
    }
  }

  private enum Movement {
    case done
    case more
    case wouldBlock(Int32)
    case failed(Int32)
  }

  /// Moves what there is, as far as one turn goes.
  private func moveOutput() -> Movement {
    for _ in 0..<Self.turnLimit {
      if pending.isEmpty { pending = port.takeOutput(limit: Self.chunkSize)[...] }
      if pending.isEmpty { return .done }
      switch endpoint.output {
      case .none: pending = []
      case .stream(let stream):
        stream.append(Array(pending))
        pending = []
      case .descriptor(let descriptor):
        if endpoint.isPseudoTerminal, !clinux_pseudo_terminal_has_reader(descriptor) {
          // Nobody listens: the guest goes on, as with a cable that is not plugged in.
          pending = []
          continue
        }
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&request, 1, 0) > 0 else { return .wouldBlock(descriptor) }
        // SAFETY: the buffer holds for the call and its size goes along.
        let written = unsafe pending.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        if written > 0 {
          pending = pending.dropFirst(written)
        } else {
          let error = clinux_errno()
          if error == EAGAIN { return .wouldBlock(descriptor) }
          if error != EINTR { return .failed(error) }
        }
      }
    }
    return .more
  }

  private func waitForOutput(_ descriptor: Int32) {
    guard !isWaitingForOutput else { return }
    isWaitingForOutput = true
    let handler = ClosureHandler { [unowned self] _ in
      isWaitingForOutput = false
      loop.remove(descriptor)
      flush()
    }
    // Input and output of a terminal may be one descriptor: then a timer stands in for epoll.
    let isShared = if case .descriptor(descriptor) = endpoint.input { true } else { false }
    if isShared || (try? loop.add(descriptor, EPOLLOUT.rawValue, handler)) != true {
      isWaitingForOutput = false
      port.armOutput(after: Self.readerPollTime)
    }
  }

  private func failure(_ error: Int32) -> Outcome {
    let reason = HostError("writing the guest's console", errno: error, advice: endpoint.outputAdvice)
    return Outcome(.hostFailure, "\(reason)")
  }

  // MARK: Input

  /// Watches the input from now on. A hang-up is reported whatever one waits for, so that a pause takes it out of the loop.
  private func watchInput(_ descriptor: Int32) throws(HostError) {
    let handler = ClosureHandler { [unowned self] _ in readInput(descriptor) }
    isInputPolled = try loop.add(descriptor, EPOLLIN.rawValue, handler)
    if !isInputPolled {
      // A regular file: it never blocks, so it is read as the guest takes it.
      readInput(descriptor)
    }
  }

  private func resumeInput() {
    switch input {
    case .none: break
    case .stream(let stream):
      while true {
        let bytes = stream.takeInput(limit: port.inputSpace())
        if bytes.isEmpty { return }
        port.receive(bytes)
      }
    case .descriptor(let descriptor):
      guard !hasInputEnded else { return }
      loop.remove(descriptor)
      do {
        try watchInput(descriptor)
      } catch {
        verdict.give(Outcome(.hostFailure, "\(error)"))
      }
    }
  }

  private func readInput(_ descriptor: Int32) {
    repeat {
      if endpoint.isPseudoTerminal, !clinux_pseudo_terminal_has_reader(descriptor) {
        loop.remove(descriptor)
        readerTimer.arm(after: Self.readerPollTime)
        return
      }
      let space = port.inputSpace()
      guard space > 0 else {
        loop.remove(descriptor)
        return
      }
      // SAFETY: the buffer is this call's own and its size goes along.
      let (bytes, error) = unsafe withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
        let count = unsafe read(descriptor, buffer.baseAddress, min(space, buffer.count))
        return unsafe (count > 0 ? [UInt8](buffer[..<count]) : [], count < 0 ? clinux_errno() : 0)
      }
      if bytes.isEmpty {
        if error == EINTR || error == EAGAIN { return }
        if error == EIO, endpoint.isPseudoTerminal { continue }
        // End of input: the guest goes on without.
        hasInputEnded = true
        loop.remove(descriptor)
        return
      }
      receive(bytes)
    } while !isInputPolled
  }

  private func receive(_ bytes: [UInt8]) {
    guard endpoint.hasEscapes else { return port.receive(bytes[...]) }
    var passed: [UInt8] = []
    for key in bytes {
      switch escapes.take(key) {
      case .pass(let byte): passed.append(byte)
      case .wait: break
      case .quit: verdict.give(Outcome(.stopped, "ended from the terminal"))
      case .help: logger.notice("\(EscapeSequence.help)")
      }
    }
    port.receive(passed[...])
  }
}
