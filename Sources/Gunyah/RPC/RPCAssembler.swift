/// Puts the fragments that arrive over one link together.
///
/// What is no fragment is dropped without a word, as the manager does: there is nobody to tell. A message that is not
/// complete yet is given up where the first fragment of another one comes. It holds one message at most.
public struct RPCAssembler: Sendable {
  private let kinds: [RPCMessageKind]
  private var partial: RPCMessage?
  private var continuations = 0
  private var missing = 0

  /// What takes messages of these kinds; others are dropped.
  public init(of kinds: [RPCMessageKind]) {
    self.kinds = kinds
  }

  /// Takes a fragment, and gives the message that it completes.
  public mutating func take(_ fragment: [UInt8]) -> RPCMessage? {
    guard let header = RPCHeader(fragment) else { return nil }
    let part = fragment[RPCHeader.size...]
    if header.kind == .continuation {
      guard
        var message = partial, header.id == message.id, header.sequence == message.sequence,
        header.continuations == continuations
      else { return nil }
      partial = nil
      message.payload += part
      missing -= 1
      return settle(message)
    }
    guard kinds.contains(header.kind) else { return nil }
    partial = nil
    continuations = header.continuations
    missing = header.continuations
    return settle(
      RPCMessage(kind: header.kind, sequence: header.sequence, id: header.id, payload: Array(part))
    )
  }

  /// Gives up what is not complete.
  public mutating func reset() {
    partial = nil
  }

  private mutating func settle(_ message: RPCMessage) -> RPCMessage? {
    guard missing > 0 else { return message }
    partial = message
    return nil
  }
}
