/// Messages in the order in which they came. How many wait is its owner's to bound.
struct OutgoingQueue: Sendable {
  private var messages: [Outgoing] = []
  /// The place of the next one.
  private var head = 0

  /// Those that wait, in order.
  var waiting: ArraySlice<Outgoing> { messages[head...] }

  func count(for agent: Int) -> Int { waiting.count { $0.agent == agent } }

  mutating func append(_ message: Outgoing) { messages.append(message) }

  /// The next message.
  mutating func take() -> Outgoing? {
    guard head < messages.count else { return nil }
    let next = messages[head]
    head += 1
    if head == messages.count {
      messages.removeAll(keepingCapacity: true)
      head = 0
    } else if head == SCMIPlatform.maximumQueued {
      // Somebody may fetch as fast as others add, and never find the end.
      messages.removeSubrange(0..<head)
      head = 0
    }
    return next
  }

  /// Drops what waits for an agent.
  mutating func removeAll(for agent: Int) {
    messages.removeSubrange(0..<head)
    head = 0
    messages.removeAll { $0.agent == agent }
  }
}

extension OutgoingQueue: Codable {
  /// As a list of what waits.
  init(from decoder: any Decoder) throws {
    messages = try [Outgoing](from: decoder)
  }

  func encode(to encoder: any Encoder) throws { try Array(waiting).encode(to: encoder) }
}
