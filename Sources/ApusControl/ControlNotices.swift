internal import PositionedJSON

/// Notices that wait in a client, in the order in which they came. Where they are too many the oldest go, and the next
/// one of their subscription tells how many, as a server's own losses.
struct ControlNotices {
  /// More text of notices is not kept, in bytes.
  static let maximumSize = 8 << 20
  /// What a notice takes besides its text, in bytes.
  private static let overhead = 128
  /// A connection has few subscriptions at once; whoever tells of more does not get them counted.
  private static let maximumSubscriptions = 4096

  private var waiting: [(notice: ControlClient.Notice, size: Int)?] = []
  /// What stands before it was taken.
  private var first = 0
  private var size = 0
  /// How many are lost of each subscription, and not told yet.
  private var lost: [UInt64: UInt64] = [:]

  var isEmpty: Bool { first == waiting.count }

  /// - Parameter size: the length of its text, in bytes.
  mutating func append(_ notice: ControlClient.Notice, size: Int) {
    waiting.append((notice, size + Self.overhead))
    self.size += size + Self.overhead
    while self.size > Self.maximumSize, first + 1 < waiting.count, let gone = take() {
      if lost.count >= Self.maximumSubscriptions { lost = [:] }
      let envelope = gone.envelope
      lost[envelope.subscription, default: 0] &+= envelope.lost &+ 1
    }
  }

  mutating func removeFirst() -> ControlClient.Notice? {
    guard let notice = take() else { return nil }
    guard let more = lost.removeValue(forKey: notice.envelope.subscription) else { return notice }
    return notice.behind(more)
  }

  private mutating func take() -> ControlClient.Notice? {
    guard !isEmpty, let taken = waiting[first] else { return nil }
    waiting[first] = nil
    first += 1
    size -= taken.size
    if first >= 64, first * 2 >= waiting.count {
      waiting.removeFirst(first)
      first = 0
    }
    return taken.notice
  }
}

extension ControlClient.Notice {
  /// The same, where so many more were lost before it.
  fileprivate func behind(_ more: UInt64) -> ControlClient.Notice {
    guard var members = parameters.members, let place = members.firstIndex(where: { $0.key == "lost" }) else {
      return self
    }
    members[place].value.content = .number("\(envelope.lost &+ more)")
    return ControlClient.Notice(name: name, parameters: JSONValue(.object(members), at: parameters.position))
  }
}
