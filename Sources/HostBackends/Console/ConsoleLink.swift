import CHost
internal import Glibc
package import Host
package import Logging

/// What became of the output that was left at the end.
package enum DrainedOutput: Equatable {
  case all
  /// Its reader did not take it in time.
  case cutOff
  /// It could not be written, now or before.
  case lost(HostError)

  /// Why it could not be written, where it could not.
  package var loss: HostError? {
    guard case .lost(let loss) = self else { return nil }
    return loss
  }
}

/// The way between a guest's console and where the configuration says it leads. Lives on the device thread.
///
/// Not generic over the port: the type's metadata would be made at run time, at a price of more instructions than a
/// console's whole start, and what goes through here goes by batches.
package final class ConsoleLink {
  /// How much one system call moves.
  private static var chunkSize: Int { 4096 }
  /// How many of those one turn of the loop moves: a guest may never stop writing, and others have their work, too.
  private static var turnLimit: Int { 64 }
  /// How many reads of input one turn has, from where there is always more.
  private static var inputTurnLimit: Int { 64 }
  /// What was typed and not taken is kept up to so many bytes: more than any screenful that is pasted.
  private static var typedLimit: Int { 1 << 20 }
  /// How often a pseudo-terminal without a reader is looked at, in nanoseconds.
  private static var readerPollTime: UInt64 { 100_000_000 }

  private let endpoint: ConsoleEndpoint
  private var input: ConsoleEndpoint.Input
  private let port: any GuestConsole
  private let takesInput: Bool
  private let loop: EventLoop
  private let fail: (HostError) -> Void
  private let stop: () -> Void
  private let logger: Logger
  private var pending: ArraySlice<UInt8> = []
  /// Why output could not be written.
  private var loss: HostError?
  /// What is in the loop for room for output.
  private var watchedRoom: Int32?
  private var isInputPolled = false
  private var hasInputEnded = false
  private let readerTimer: HostTimer
  private var escapes = EscapeSequence()
  /// What was typed and the guest has no room for yet.
  private var typed: ArraySlice<UInt8> = []
  private var hasDroppedKeys = false

  /// - Parameters:
  ///   - takesInput: whether input is for this one of the guest's consoles.
  ///   - stop: called when a person at the terminal wants the machine to end.
  ///   - fail: called when output or input cannot go on: the machine is to end.
  package init(
    endpoint: ConsoleEndpoint,
    port: any GuestConsole,
    takesInput: Bool,
    loop: EventLoop,
    logger: Logger,
    stop: @escaping () -> Void,
    fail: @escaping (HostError) -> Void
  ) throws(HostError) {
    self.endpoint = endpoint
    input = takesInput ? endpoint.input : .none
    self.port = port
    self.takesInput = takesInput
    self.loop = loop
    self.fail = fail
    self.logger = logger
    self.stop = stop
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
          readerTimer.clear()
          resumeInput()
        }
      )
    }
    if takesInput { endpoint.monitor?.connect(onInput: port.signalInputRoom) }
    if case .stream(let stream) = input { stream.connect(onInput: port.signalInputRoom) }
    resumeInput()
  }

  /// Takes everything out of the loop again.
  package func disconnect() {
    loop.remove(port.outputDescriptor)
    loop.remove(port.inputRoomDescriptor)
    loop.remove(readerTimer.rawValue)
    if case .descriptor(let descriptor) = input { loop.remove(descriptor) }
    if let watchedRoom { loop.remove(watchedRoom) }
  }

  // MARK: Output

  /// Moves what the guest has written, as far as it goes without waiting.
  private func flush() {
    switch moveOutput() {
    case .done: break
    case .more: port.armOutput(after: 1)
    case .wouldBlock(let outlet): waitForOutput(outlet)
    case .failed(let errno):
      pending = []
      let failure = failure(errno)
      loss = failure
      fail(failure)
    }
  }

  /// Moves all that is left, waiting for the reader until `isOver` says otherwise. Only what the guest's device has
  /// when it is called and ``drainLimit`` more: a ring may have gibibytes.
  package func drain(until isOver: () -> Bool) -> DrainedOutput {
    if let loss { return .lost(loss) }
    var turns = Self.drainLimit / (Self.turnLimit * Self.chunkSize)
    while true {
      let movement = moveOutput()
      switch movement {
      case .done:
        guard case .outlet(let outlet) = endpoint.output, outlet.pending > 0 else { return .all }
        if isOver() { return .cutOff }
        pause(outlet)
        if outlet.failure != 0 { return .lost(failure(outlet.failure)) }
      case .failed(let errno): return .lost(failure(errno))
      case .more:
        turns -= 1
        if turns == 0 || isOver() { return .cutOff }
      case .wouldBlock(let outlet):
        if isOver() { return .cutOff }
        pause(outlet)
      }
    }
  }

  /// What a guest that has ended may still have in the rings of a console, in bytes.
  private static var drainLimit: Int { 4 << 20 }
  /// How long one wait for the reader lasts, in milliseconds: there may be other reasons to go on.
  private static var drainPause: Int32 { 20 }

  private func pause(_ outlet: Outlet) {
    outlet.room.wait(milliseconds: Self.drainPause)
    outlet.answerRoom()
  }

  private enum Movement {
    case done
    case more
    case wouldBlock(Outlet)
    case failed(Int32)
  }

  /// Moves what there is, as far as one turn goes.
  private func moveOutput() -> Movement {
    for _ in 0..<Self.turnLimit {
      if pending.isEmpty {
        pending = port.takeOutput(limit: Self.chunkSize)[...]
        if pending.isEmpty { return .done }
        endpoint.monitor?.note(pending)
      }
      switch endpoint.output {
      case .none: pending = []
      case .stream(let stream):
        stream.append(Array(pending))
        pending = []
      case .outlet(let outlet):
        if endpoint.isPseudoTerminal, !chost_pseudo_terminal_has_reader(outlet.rawValue) {
          // Nobody listens: the guest goes on, as with a cable that is not plugged in.
          pending = []
          continue
        }
        // SAFETY: the buffer holds for the call.
        let written = unsafe pending.withUnsafeBytes { unsafe outlet.offer($0) }
        if written == -Int(EAGAIN) { return .wouldBlock(outlet) }
        guard written > 0 else { return .failed(Int32(-written)) }
        pending = pending.dropFirst(written)
      }
    }
    return .more
  }

  private func waitForOutput(_ outlet: Outlet) {
    guard watchedRoom == nil else { return }
    let room = outlet.room
    let descriptor = room.descriptor
    watchedRoom = descriptor
    let handler = ClosureHandler { [unowned self] _ in
      watchedRoom = nil
      loop.remove(descriptor)
      outlet.answerRoom()
      flush()
    }
    // Input and output of a terminal may be one descriptor, and so may two consoles': then a timer stands in for epoll.
    let isShared = if case .descriptor(descriptor) = endpoint.input { true } else { false }
    if isShared || (try? loop.add(descriptor, room.events, handler)) != true {
      watchedRoom = nil
      port.armOutput(after: Self.readerPollTime)
    }
  }

  private func failure(_ error: Int32) -> HostError {
    HostError("writing the guest's console", errno: error, advice: endpoint.outputAdvice)
  }

  // MARK: Input

  /// Watches the input from now on. A hang-up is reported whatever one waits for, so that a pause takes it out of the
  /// loop.
  private func watchInput(_ descriptor: Int32) throws(HostError) {
    let handler = ClosureHandler { [unowned self] _ in readInput(descriptor) }
    isInputPolled = try loop.add(descriptor, EPOLLIN.rawValue, handler)
    if !isInputPolled {
      // A regular file: it never blocks, so it is read as the guest takes it.
      readInput(descriptor)
    }
  }

  private func resumeInput() {
    if takesInput { passMonitored() }
    switch input {
    case .none: break
    case .stream(let stream):
      for _ in 0..<Self.inputTurnLimit {
        let bytes = stream.takeInput(limit: port.inputSpace())
        if bytes.isEmpty { return }
        port.receive(bytes)
      }
      port.signalInputRoom()
    case .descriptor(let descriptor):
      passTyped()
      guard !hasInputEnded else { return }
      loop.remove(descriptor)
      do {
        try watchInput(descriptor)
      } catch {
        fail(error)
      }
    }
  }

  /// Gives the guest what was typed through the monitor, as far as it has room.
  private func passMonitored() {
    guard let monitor = endpoint.monitor else { return }
    while true {
      let bytes = monitor.takeInput(limit: port.inputSpace())
      if bytes.isEmpty { return }
      port.receive(bytes)
    }
  }

  private func readInput(_ descriptor: Int32) {
    if isInputPolled, endpoint.ownInputOnce() {
      loop.remove(descriptor)
      input = endpoint.input
      return resumeInput()
    }
    for _ in 0..<Self.inputTurnLimit {
      if endpoint.isPseudoTerminal, !chost_pseudo_terminal_has_reader(descriptor) {
        loop.remove(descriptor)
        readerTimer.arm(after: Self.readerPollTime)
        return
      }
      // A person's keys are read however many wait for the guest: one of them may end the machine.
      let space = endpoint.hasEscapes ? Int.max : port.inputSpace()
      guard space > 0 else {
        loop.remove(descriptor)
        return
      }
      // SAFETY: the buffer is this call's own and its size goes along.
      let (bytes, error) = unsafe withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
        let count = unsafe read(descriptor, buffer.baseAddress, min(space, buffer.count))
        return unsafe (count > 0 ? [UInt8](buffer[..<count]) : [], count < 0 ? chost_errno() : 0)
      }
      if bytes.isEmpty {
        if error == EINTR || error == EAGAIN { return }
        if error == EIO, endpoint.isPseudoTerminal { return }
        // End of input: the guest goes on without.
        hasInputEnded = true
        loop.remove(descriptor)
        return
      }
      receive(bytes)
      if isInputPolled { return }
    }
    // There is always more in a file: others have their turn.
    port.signalInputRoom()
  }

  private func receive(_ bytes: [UInt8]) {
    guard endpoint.hasEscapes else { return port.receive(bytes[...]) }
    var passed: [UInt8] = []
    for key in bytes {
      switch escapes.take(key) {
      case .pass(let byte): passed.append(byte)
      case .wait: break
      case .quit: stop()
      case .help: logger.notice("\(EscapeSequence.help)")
      }
    }
    if typed.count + passed.count > Self.typedLimit {
      if !hasDroppedKeys {
        logger.warning("the guest takes no input: what is typed beyond \(Self.typedLimit) bytes is lost")
      }
      hasDroppedKeys = true
      passed = []
    }
    typed += passed
    passTyped()
  }

  /// Gives the guest what was typed, as far as it has room.
  private func passTyped() {
    while !typed.isEmpty {
      let space = port.inputSpace()
      guard space > 0 else { return }
      port.receive(typed.prefix(space))
      typed = typed.dropFirst(space)
    }
    typed = []
  }
}
