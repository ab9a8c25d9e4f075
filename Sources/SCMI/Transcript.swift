/// One line of a transcript.
public struct TranscriptRecord: Sendable {
  /// What a line is about.
  public enum Kind: String, CaseIterable, Sendable {
    /// An agent's command, as it came.
    case request
    /// The answer to a command, as it went.
    case reply
    /// The second answer to an asynchronous command.
    case delayedResponse
    /// What the platform said by itself.
    case notification
    /// A message on the event channel that is none of these.
    case unsolicited
    /// A reply that is not sent, or not yet.
    case withheld
    /// Bytes that were no message.
    case malformed
    /// The agent was reset.
    case reset
    /// The owner changed permissions, or samples were skipped.
    case control
  }

  /// From 0, without gaps.
  public var sequence: UInt64
  /// Nanoseconds of the platform's clock.
  public var time: UInt64
  /// The agent's place in the definition.
  public var agent: Int
  /// As the definition has it.
  public var agentName: String
  /// What the line is about.
  public var kind: Kind
  /// What was sent. Empty for a line that is about no message.
  public var message: SCMIMessage
  /// Nanoseconds since the request, for what answers one.
  public var latency: UInt64?
  /// Of a reset: whether the agent can receive notifications and delayed responses from then on; `nil` for all else.
  public var events: Bool?
  /// Why the platform decided as it did.
  public var decision: String?
  /// The misbehaviour rule that applied.
  public var rule: String?

  package init(
    sequence: UInt64,
    time: UInt64,
    agent: Int,
    agentName: String,
    kind: Kind,
    message: SCMIMessage,
    latency: UInt64? = nil,
    events: Bool? = nil,
    decision: String? = nil,
    rule: String? = nil
  ) {
    self.sequence = sequence
    self.time = time
    self.agent = agent
    self.agentName = agentName
    self.kind = kind
    self.message = message
    self.latency = latency
    self.events = events
    self.decision = decision
    self.rule = rule
  }
}

extension SCMIPlatform {
  /// What was recorded since the last call, in order. Empty where ``isRecording`` is off.
  public mutating func takeTranscript() -> [TranscriptRecord] {
    defer { transcript.removeAll() }
    return transcript
  }

  mutating func record(
    _ kind: TranscriptRecord.Kind,
    agent: Int,
    _ message: SCMIMessage,
    _ decision: String? = nil,
    latency: UInt64? = nil,
    events: Bool? = nil,
    rule: String? = nil
  ) {
    guard isRecording else { return }
    var reasons = decision.map { [$0] } ?? []
    // A reply carries the reasons for it; what it sets off on the way does not.
    if [.reply, .withheld, .reset, .control].contains(kind) {
      reasons += explanations
      explanations.removeAll()
    }
    transcript.append(
      TranscriptRecord(
        sequence: transcriptSequence,
        time: now,
        agent: agent,
        agentName: definition.agents[agent].name,
        kind: kind,
        message: message,
        latency: latency,
        events: events,
        decision: reasons.isEmpty ? nil : reasons.joined(separator: "; "),
        rule: rule
      )
    )
    transcriptSequence += 1
  }

  mutating func recordControl(_ agent: Int) {
    record(.control, agent: agent, SCMIMessage(header: MessageHeader(rawValue: 0)))
  }
}
