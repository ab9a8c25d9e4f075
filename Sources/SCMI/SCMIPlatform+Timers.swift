/// Time: delayed responses, late replies, sampling, the script. The caller supplies the clock.
extension SCMIPlatform {
  /// When ``advance(to:)`` has something to do next, in nanoseconds; `nil` is never.
  public var nextDeadline: UInt64? { deadline == .max ? nil : deadline }

  /// Lets everything happen that is due at `time`, in the order in which it is due.
  ///
  /// A time before the latest one counts as the latest one.
  public mutating func advance(to time: UInt64) {
    let limit = max(time, now)
    var samples = 0
    // What is due at the end of time never comes.
    while deadline <= limit, deadline != .max {
      if let next = recurrences.first, isBeforeTimers(next) {
        if samples >= SCMIPlatform.maximumSamples, next.due > now {
          skipSamples(to: limit)
        } else {
          samples += 1
          let recurrence = recurrences.removeFirst()
          now = max(now, recurrence.due)
          perform(recurrence)
        }
      } else if let timer = timers.popLast() {
        // Each of these was asked for by a request or the definition: they do not become more by themselves.
        now = max(now, timer.due)
        perform(timer.action)
      }
      updateDeadline()
    }
    now = limit
  }

  private func isBeforeTimers(_ recurrence: Recurrence) -> Bool {
    guard let timer = timers.last else { return true }
    return (recurrence.due, recurrence.order) < (timer.due, timer.order)
  }

  mutating func updateDeadline() { deadline = min(timers.last?.due ?? .max, recurrences.first?.due ?? .max) }

  /// So many nanoseconds from now; what would be beyond the end of time is at it.
  func after(_ time: UInt64) -> UInt64 {
    let (sum, isBeyond) = now.addingReportingOverflow(time)
    return isBeyond ? .max : sum
  }

  mutating func schedule(_ due: UInt64, _ action: Timer.Action) {
    let timer = Timer(due: due, order: timerOrder, action: action)
    timerOrder += 1
    var low = 0
    var high = timers.count
    while low < high {
      let middle = (low + high) / 2
      // Of two that are due at the same time the one that came first stands nearer to the end.
      if timers[middle].due > due { low = middle + 1 } else { high = middle }
    }
    timers.insert(timer, at: low)
    deadline = min(deadline, due)
  }

  /// Sends something to an agent's event channel later. Where as many wait already as may, it is dropped and counted.
  mutating func scheduleEvent(_ due: UInt64, _ message: Outgoing) {
    guard agents[message.agent].scheduled < SCMIPlatform.maximumQueued else {
      agents[message.agent].dropped &+= 1
      return
    }
    agents[message.agent].scheduled += 1
    schedule(due, .deliverEvent(message))
  }

  private mutating func perform(_ action: Timer.Action) {
    switch action {
    case .deliver(let outgoing): emit(outgoing)
    case .deliverEvent(let outgoing):
      agents[outgoing.agent].scheduled -= 1
      emit(outgoing)
    case .complete(let operation): complete(operation)
    case .script(let index): perform(definition.script[index].action)
    case .releaseHeld(let agent): releaseHeld(agent)
    }
  }

  // MARK: - Messages that are not the answer to the running call

  /// The next message to deliver, in order.
  public mutating func takeOutgoing() -> Outgoing? {
    guard let next = outgoing.take() else { return nil }
    agents[next.agent].queued -= 1
    return next
  }

  /// The next thing that the machine has to act on.
  public mutating func takeEvent() -> PlatformEvent? {
    events.isEmpty ? nil : events.removeFirst()
  }

  /// How many messages for one agent wait at most for ``takeOutgoing()``, and as many to be sent later. What would go
  /// to the event channel beyond is dropped, so that an agent cannot fill the host's memory by asking for what nobody
  /// fetches; delayed responses have as much room again. A late reply always waits: its request's buffer is the bound.
  public static let maximumQueued = 1_024

  /// How many messages for an agent's event channel were dropped since ``maximumQueued`` waited already.
  ///
  /// - Precondition: the agent exists.
  public func droppedNotifications(agent: Int) -> UInt64 { agents[agent].dropped }

  mutating func emit(_ outgoing: Outgoing) {
    var message = outgoing
    if hasEventRules, outgoing.channel == .event, outgoing.rule == nil {
      guard let distorted = distorted(outgoing) else { return }
      message = distorted
    }
    if message.channel == .event, agents[message.agent].queued >= message.queueLimit {
      agents[message.agent].dropped &+= 1
      return
    }
    agents[message.agent].queued += 1
    self.outgoing.append(message)
    guard isRecording else { return }
    let kind: TranscriptRecord.Kind =
      switch (message.channel, message.message.header.type) {
      case (.reply, _): .reply
      case (.event, .delayedResponse): .delayedResponse
      case (.event, .notification): .notification
      case (.event, _): .unsolicited
      }
    record(
      kind,
      agent: message.agent,
      message.message,
      latency: message.requested.map { now - $0 },
      rule: message.rule.map { ruleNames[$0] }
    )
  }

  // MARK: - Asynchronous commands

  /// How many asynchronous commands of a protocol an agent has under way.
  func asynchronousCount(_ identifier: ProtocolIdentifier, _ agent: Int) -> Int {
    asynchronousCounts[agent * ProtocolIdentifier.count + identifier.index]
  }

  /// Accepts a command whose effect comes later.
  ///
  /// - Throws: BUSY where the agent has as many delayed responses outstanding as it may.
  mutating func startAsynchronous(
    _ request: SCMIMessage,
    _ context: Context,
    latency: UInt64,
    isSilent: Bool = false
  ) throws(SCMIStatus) {
    let outstanding = agents[context.agent].outstandingResponses
    guard outstanding < definition.agents[context.agent].outstandingResponses else {
      explain("quota: \(outstanding) delayed responses are outstanding")
      throw .busy
    }
    agents[context.agent].outstandingResponses += 1
    asynchronousCounts[context.agent * ProtocolIdentifier.count + context.identifier.index] += 1
    let wrong = asynchronousMisbehaviour
    let operation = Operation(
      agent: context.agent,
      identifier: context.identifier,
      request: request,
      requested: now,
      isSilent: isSilent || wrong == .delayedNever,
      isTwice: wrong == .delayedTwice
    )
    schedule(after(latency), .complete(operation))
  }

  /// The effect of an asynchronous command and its delayed response: status, then the resource and what it is now.
  private mutating func complete(_ operation: Operation) {
    let request = operation.request
    let agent = operation.agent
    finishAsynchronous(operation)
    var response = SCMIMessage(replyTo: request)
    response.header.type = .delayedResponse
    do throws(SCMIStatus) {
      try complete(operation, &response)
      response.status = .success
    } catch {
      // The resource's identifier is what the agent matches the response by.
      if let place = MessageCatalogue.resourceWord(request.header) { response.append(request[word: place]) }
      response.status = error
    }
    guard !operation.isSilent, agents[agent].events else { return }
    let message = Outgoing(agent: agent, channel: .event, message: response, requested: operation.requested)
    emit(message)
    if operation.isTwice { emit(message) }
  }

  private mutating func complete(_ operation: Operation, _ response: inout SCMIMessage) throws(SCMIStatus) {
    let (request, agent) = (operation.request, operation.agent)
    switch operation.identifier {
    case .clock: response.append(try completeClockRateSet(request.fields(), agent))
    case .powerDomain: response.append(try completePowerStateSet(request.fields(), agent))
    case .sensor: response.append(try completeSensorReading(request.fields(), agent))
    case .reset: response.append(try completeReset(request.fields(), agent))
    case .voltage: response.append(try completeVoltageLevelSet(request.fields(), agent))
    case .powercap: response.append(try completePowercapSet(request.fields(), agent))
    case .base, .systemPower, .performance, .pinControl: preconditionFailure("the protocol has no delayed responses")
    }
  }
}
