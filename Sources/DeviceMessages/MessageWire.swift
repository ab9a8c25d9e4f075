/// Numbers of the protocol by which a device in another process is driven.
package enum MessageWire {
  /// Of the protocol.
  package static let version: UInt32 = 1
  /// Of a frame's header, in bytes.
  package static let headerSize = 16
  /// The most bytes of a chain in one frame; the rest follows in frames of its own.
  package static let dataLimit = 1 << 20
  /// The most bytes behind a frame's header.
  package static let payloadLimit = dataLimit + 4096
  /// The most bytes behind the header of a frame that carries neither a chain's bytes nor a state.
  package static let controlLimit = 4096
  /// What is sent before the bytes of a chain: how many it has to read, and how many to write.
  package static let chainPrefix = 8
  /// What is sent before the bytes of an answer: how many there are, and the chain's last byte where that is apart.
  package static let completePrefix = 8
  /// The most bytes that may be out, whatever the other side would take.
  package static let creditLimit = 64 << 20
  /// How long an answer is waited for, in nanoseconds.
  package static let deadline: UInt64 = 5_000_000_000
}

/// What a frame is. The device's side answers what it is asked; the other asks.
package enum MessageKind: UInt16, CaseIterable, Sendable {
  /// The first frame of each side.
  case hello = 1
  /// The driver is ready: features, and the queues that it has set up.
  case start = 2
  /// One queue more.
  case startQueue = 3
  /// A request: what the device is to read, and how much it may write.
  case chain = 4
  /// More bytes of the chain, or the answer, that was begun last.
  case more = 5
  /// The answer to a chain.
  case complete = 6
  /// The driver takes a queue back.
  case stop = 7
  /// Back to the beginning.
  case reset = 8
  /// Finish what is in flight and take nothing new.
  case suspend = 9
  /// Go on.
  case resume = 10
  /// A request that has no other answer was done, or answered by a state before it.
  case done = 11
  /// The device's state, at the end of a suspension.
  case state = 12
  /// A state to go on from, before the start.
  case restore = 13
  /// The configuration space, all of it.
  case configuration = 14
  /// The driver wrote a field of it.
  case configurationWrite = 15
  /// Is anybody there? Answered at once.
  case ping = 16
  /// The driver broke the rules of a queue.
  case fault = 17
}

/// What stands before each frame's payload.
package struct FrameHeader: Equatable, Sendable {
  /// How many bytes follow.
  package var length: UInt32
  /// What the frame says or asks for.
  package var kind: MessageKind
  /// Which queue it is about, or 0.
  package var queue: UInt16
  /// Which chain it is about, or which request.
  package var ticket: UInt64

  package init(_ kind: MessageKind, length: UInt32 = 0, queue: UInt16 = 0, ticket: UInt64 = 0) {
    self.length = length
    self.kind = kind
    self.queue = queue
    self.ticket = ticket
  }

  /// The frame's first bytes, as two little-endian numbers.
  var words: (UInt64, UInt64) {
    (UInt64(length) | UInt64(kind.rawValue) << 32 | UInt64(queue) << 48, ticket)
  }

  /// - Throws: ``MessageFault`` for what can't be a frame.
  init(_ words: (UInt64, UInt64)) throws(MessageFault) {
    let number = UInt16(truncatingIfNeeded: words.0 >> 32)
    guard let kind = MessageKind(rawValue: number) else { throw .unknownKind(number) }
    length = UInt32(truncatingIfNeeded: words.0)
    self.kind = kind
    queue = UInt16(truncatingIfNeeded: words.0 >> 48)
    ticket = words.1
    let (least, most): (Int, Int) =
      switch kind {
      case .chain: (MessageWire.chainPrefix, MessageWire.payloadLimit)
      case .complete: (MessageWire.completePrefix, MessageWire.payloadLimit)
      case .more, .state, .restore: (0, MessageWire.payloadLimit)
      default: (0, MessageWire.controlLimit)
      }
    guard least <= length, length <= most else { throw .badLength(kind, length) }
  }
}

/// Which chain of which life of a queue: 16 bits of epoch, 32 that count, 16 of the first descriptor.
struct ChainTicket: Equatable {
  let rawValue: UInt64

  init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  init(epoch: UInt16, sequence: UInt32, head: UInt16) {
    rawValue = UInt64(epoch) << 48 | UInt64(sequence) << 16 | UInt64(head)
  }

  var epoch: UInt16 { UInt16(truncatingIfNeeded: rawValue >> 48) }
  var head: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
}

/// What the other side did that is against the protocol. The connection ends with it.
package enum MessageFault: Error, Equatable, Sendable {
  /// A frame of a kind that there is not, by its number.
  case unknownKind(UInt16)
  /// A frame whose kind is never of so many bytes.
  case badLength(MessageKind, UInt32)
  /// A frame that is not for this side, or not now.
  case unexpected(MessageKind)
  /// A queue that the device has not, by its number.
  case unknownQueue(UInt16)
  /// A chain's number that is not open, or is already.
  case badTicket
  /// More bytes than a chain has, or fewer than were announced.
  case badCount
  /// More is out than was granted.
  case beyondCredit
  /// Another version of the protocol, by its number.
  case version(UInt32)
  /// It says something of the device that can't be.
  case badDevice(String)
  /// It has not answered in time.
  case silent(String)
  /// It does not take what it is sent.
  case full
  /// It has gone.
  case gone
}

extension MessageFault: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unknownKind(let number): "it sent a frame of the unknown kind \(number)"
    case .badLength(let kind, let length): "it sent a frame '\(kind)' of \(length) bytes"
    case .unexpected(let kind): "it sent '\(kind)', which has no place there"
    case .unknownQueue(let number): "it spoke of queue \(number), which the device has not"
    case .badTicket: "it spoke of a request that is not open"
    case .badCount: "it sent another number of bytes than it should have"
    case .beyondCredit: "it sent more than it may have under way"
    case .version(let version): "it speaks version \(version) of the protocol, and this is \(MessageWire.version)"
    case .badDevice(let what): "its device can't be: \(what)"
    case .silent(let what): "it did not answer in time (\(what))"
    case .full: "it does not take what it is sent"
    case .gone: "it has gone"
    }
  }
}
