/// What waits to be sent to one machine: replies and notifications in their order, fragment by fragment, a message's
/// fragments never apart.
struct Outbox {
  /// How many replies wait before no further request is taken: as many as a link has messages.
  static let maximumReplies = 8
  /// How many notifications wait; with one more, the oldest is dropped, as the manager does.
  static let maximumNotifications = 256

  private var waiting: [RPCMessage] = []
  private var fragments: ArraySlice<[UInt8]> = []
  private var isSendingReply = false

  /// The fragment that is to be sent next.
  var next: [UInt8]? { fragments.first }

  var isTakingRequests: Bool {
    waiting.count { $0.kind == .reply } + (isSendingReply ? 1 : 0) < Outbox.maximumReplies
  }

  mutating func put(_ message: RPCMessage) {
    if message.kind == .notification, waiting.count(where: { $0.kind == .notification }) >= Outbox.maximumNotifications,
      let oldest = waiting.firstIndex(where: { $0.kind == .notification })
    {
      waiting.remove(at: oldest)
    }
    waiting.append(message)
    if fragments.isEmpty { advance() }
  }

  /// The next fragment is sent.
  mutating func drop() {
    fragments = fragments.dropFirst()
    if fragments.isEmpty { advance() }
  }

  private mutating func advance() {
    isSendingReply = false
    guard !waiting.isEmpty else { return }
    let message = waiting.removeFirst()
    isSendingReply = message.kind == .reply
    fragments = message.fragments[...]
  }
}
