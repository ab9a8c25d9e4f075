/// Takes apart what comes from the guest's agent.
///
/// What comes before the machine's key is passed over: nobody in the guest but the agent has that, and each agent
/// begins with it. So a frame that a killed agent left half said does not swallow the next one's, and no program can
/// say what only the agent says.
public struct AgentDecoder: Sendable {
  /// What the bytes come to.
  public enum Event: Equatable, Sendable {
    /// An agent has begun; what was said before it is over.
    case began
    /// A whole frame.
    case frame(AgentFrame)
    /// Something that no agent says; until the next one begins, nothing more comes.
    case nonsense
  }

  private let key: [UInt8]
  private var pending: [UInt8] = []
  private var isInStep: Bool
  /// How much of `pending` was looked through for the key.
  private var searched = 0

  /// - Parameters:
  ///   - key: as many bytes as the agent has, at least one.
  ///   - goesOn: whether the agent has begun before, and goes on with the next frame.
  public init(key: [UInt8], goesOn: Bool = false) {
    self.key = key
    isInStep = goesOn
  }

  /// Takes bytes, in pieces of any size.
  ///
  /// - Returns: what they complete, in order.
  public mutating func take(_ bytes: some Sequence<UInt8>) -> [Event] {
    pending += bytes
    var events: [Event] = []
    while let place = findKey() {
      if isInStep { _ = takeFrames(upTo: place, &events) }
      pending.removeFirst(place + key.count)
      searched = 0
      isInStep = true
      events.append(.began)
    }
    if isInStep {
      let taken = takeFrames(upTo: pending.count - heldBack, &events)
      pending.removeFirst(taken)
      searched = max(0, searched - taken)
    } else {
      pending.removeFirst(max(0, pending.count - key.count + 1))
      searched = 0
    }
    return events
  }

  private mutating func findKey() -> Int? {
    guard pending.count >= key.count else { return nil }
    var place = searched
    while place + key.count <= pending.count {
      guard let first = pending[place...].firstIndex(of: key[0]), first + key.count <= pending.count else { break }
      if pending[first..<first + key.count].elementsEqual(key) { return first }
      place = first + 1
    }
    searched = max(0, pending.count - key.count + 1)
    return nil
  }

  /// How many of the last bytes may be the beginning of a key, and are no frame's until it is known. A key begins with
  /// a byte that frames seldom end with, so that none waits long.
  private var heldBack: Int {
    for count in (1..<key.count).reversed() where count <= pending.count {
      if pending.suffix(count).elementsEqual(key.prefix(count)) { return count }
    }
    return 0
  }

  /// Takes the whole frames before a place. What is left of that is half a frame, which the key then ends.
  ///
  /// - Returns: how many bytes they are.
  private mutating func takeFrames(upTo limit: Int, _ events: inout [Event]) -> Int {
    var at = 0
    while limit - at >= AgentFrame.headerSize, isInStep {
      let size = Int(AgentFrame.number(pending[at..<at + 4]))
      guard size <= AgentFrame.payloadLimit else {
        events.append(.nonsense)
        isInStep = false
        break
      }
      let end = at + AgentFrame.headerSize + size
      guard end <= limit else { break }
      events.append(
        .frame(
          AgentFrame(
            stream: AgentFrame.number(pending[at + 4..<at + 8]),
            kind: AgentFrame.number(pending[at + 8..<at + 12]),
            payload: Array(pending[at + AgentFrame.headerSize..<end])
          )
        )
      )
      at = end
    }
    return at
  }
}
