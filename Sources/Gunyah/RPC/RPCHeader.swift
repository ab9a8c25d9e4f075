/// What a message to or from the resource manager is: two bits of a fragment's header.
public enum RPCMessageKind: UInt8, Sendable, CaseIterable {
  /// A further part of the message before it.
  case continuation = 0
  /// Asks the manager for something.
  case request = 1
  /// The manager's answer to a request.
  case reply = 2
  /// What the manager tells by itself.
  case notification = 3
}

/// The first eight bytes of each fragment: one message of a queue between a machine and the resource manager.
///
/// Linux, drivers/virt/gunyah/rsc_mgr.c (`gh_rm_rpc_hdr`); little-endian, as everything here.
public struct RPCHeader: Equatable, Sendable {
  /// Version 1 of the interface, and a header of two words.
  public static let version: UInt8 = 0x21
  /// The size of a header, in bytes.
  public static let size = 8
  /// The greatest size of a fragment, in bytes: a message of the queues that lead to the manager.
  public static let maximumFragmentSize = 240
  /// The greatest number of bytes that a fragment carries.
  public static let maximumPartSize = maximumFragmentSize - size
  /// How many continuations a message has at most.
  public static let maximumContinuations = 62
  /// The greatest size of a message's payload, in bytes.
  public static let maximumPayloadSize = (maximumContinuations + 1) * maximumPartSize

  /// What the fragment is.
  public var kind: RPCMessageKind
  /// How many continuations the message has, the same number in each of its fragments.
  public var continuations: Int
  /// What a requester tells its requests apart by; the reply has the request's. 0 in notifications.
  public var sequence: UInt16
  /// What the message is about.
  public var id: MessageID

  /// A header of these parts.
  ///
  /// - Parameter continuations: 0 to ``maximumContinuations``.
  public init(kind: RPCMessageKind, continuations: Int, sequence: UInt16, id: MessageID) {
    self.kind = kind
    self.continuations = continuations
    self.sequence = sequence
    self.id = id
  }

  /// The header of a fragment, or nil where it has another version, is too short or long, or says that its message has
  /// more fragments than a message may have.
  public init?(_ fragment: [UInt8]) {
    guard
      fragment.count >= RPCHeader.size, fragment.count <= RPCHeader.maximumFragmentSize,
      fragment[0] == RPCHeader.version, let kind = RPCMessageKind(rawValue: fragment[1] & 3),
      fragment[1] >> 2 <= RPCHeader.maximumContinuations
    else { return nil }
    self.kind = kind
    continuations = Int(fragment[1] >> 2)
    sequence = UInt16(fragment[2]) | UInt16(fragment[3]) << 8
    id = MessageID(rawValue: (4..<8).reduce(0) { $0 | UInt32(fragment[$1]) << (8 * UInt32($1 - 4)) })
  }

  /// The eight bytes.
  public var bytes: [UInt8] {
    var writer = PayloadWriter()
    writer.put(RPCHeader.version)
    writer.put(kind.rawValue | UInt8(continuations) << 2)
    writer.put(sequence)
    writer.put(id.rawValue)
    return writer.bytes
  }
}

/// A message to or from the resource manager, put together.
public struct RPCMessage: Equatable, Sendable {
  /// What it is; never a continuation.
  public var kind: RPCMessageKind
  /// What a requester tells its requests apart by; 0 in notifications.
  public var sequence: UInt16
  /// What it is about.
  public var id: MessageID
  /// What stands behind the headers, at most ``RPCHeader/maximumPayloadSize`` bytes. A reply's first word is 0 or an
  /// ``RMError``.
  public var payload: [UInt8]

  /// A message of these parts.
  public init(kind: RPCMessageKind, sequence: UInt16, id: MessageID, payload: [UInt8]) {
    self.kind = kind
    self.sequence = sequence
    self.id = id
    self.payload = payload
  }

  /// The message as fragments of at most ``RPCHeader/maximumFragmentSize`` bytes, in the order in which they have to be
  /// sent, with none of another message between them: Linux gives up a reply where another one's fragment comes.
  public var fragments: [[UInt8]] {
    precondition(payload.count <= RPCHeader.maximumPayloadSize, "a message fits its fragments")
    let part = RPCHeader.maximumPartSize
    let continuations = max(0, (payload.count + part - 1) / part - 1)
    return (0...continuations).map { index in
      let header = RPCHeader(
        kind: index == 0 ? kind : .continuation,
        continuations: continuations,
        sequence: sequence,
        id: id
      )
      return header.bytes + payload[(index * part)..<min((index + 1) * part, payload.count)]
    }
  }
}
