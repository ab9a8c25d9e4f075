internal import CHost
internal import Glibc
internal import Host

/// One message of either side (vhost-user, "Message Specification"): numbers are little-endian, as on both of the
/// machines that this runs on.
public struct VhostUserMessage: Sendable {
  /// The request's number; a reply has that of what it answers.
  public var request: UInt32
  /// Version, reply and need_reply.
  public var flags: UInt32
  /// At most ``VhostUserWire/payloadLimit`` bytes.
  public var payload: [UInt8]
  /// What came along or goes along.
  public var descriptors: [VhostUserDescriptor]

  /// A message with these parts.
  public init(
    request: UInt32,
    flags: UInt32 = VhostUserWire.version,
    payload: [UInt8] = [],
    descriptors: [VhostUserDescriptor] = []
  ) {
    self.request = request
    self.flags = flags
    self.payload = payload
    self.descriptors = descriptors
  }

  /// A front-end's request.
  public init(_ request: VhostUserRequest, _ payload: [UInt8] = [], descriptors: [VhostUserDescriptor] = []) {
    self.init(request: request.rawValue, payload: payload, descriptors: descriptors)
  }

  /// Whether it is a reply.
  public var isReply: Bool { flags & VhostUserWire.replyFlag != 0 }

  /// Whether its sender waits for an answer even where there is nothing to say but that it was done.
  public var needsReply: Bool { flags & VhostUserWire.needReplyFlag != 0 }

  /// Header and payload, as they go over the socket.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(VhostUserWire.headerSize + payload.count)
    bytes.append(number: request)
    bytes.append(number: flags)
    bytes.append(number: UInt32(truncatingIfNeeded: payload.count))
    bytes += payload
    return bytes
  }
}

/// A descriptor that came over a socket or goes over one: it is closed with the last who holds it.
public final class VhostUserDescriptor: Sendable {
  private let owner: OwnedDescriptor?
  /// The number, valid as long as the object.
  public let rawValue: Int32

  /// Takes ownership of an open descriptor.
  public init(owning number: Int32) {
    owner = OwnedDescriptor(owning: number)
    rawValue = number
  }

  /// Names a descriptor that somebody else keeps open for as long as it is needed.
  public init(borrowing number: Int32) {
    owner = nil
    rawValue = number
  }
}

/// Why a conversation with the other side is over, or why something was not had of it.
public enum VhostUserError: Error, Equatable, Sendable {
  /// The other side has closed the connection.
  case disconnected
  /// It did not answer, or not take what it was sent, in the time that it has.
  case timedOut(String)
  /// What it sent is none of the protocol's messages, or none that may come now.
  case malformed(String)
  /// It answered that it could not do what it was asked.
  case refused(String)
  /// It lacks what is needed, or has something that cannot be.
  case unusable(String)
  /// The host refused something.
  case host(String)
}

extension VhostUserError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .disconnected: "it closed the connection"
    case .timedOut(let what): "it did not answer \(what) in time"
    case .malformed(let what): "it sent \(what)"
    case .refused(let what): "it refused \(what)"
    case .unusable(let what): what
    case .host(let what): what
    }
  }
}

extension VhostUserError {
  /// What to do about a back-end that did it at the beginning; nil: the description says so, or says it all.
  package var advice: String? {
    switch self {
    case .disconnected: "its own messages may say why; start it anew"
    case .timedOut: "see that it is a vhost-user back-end, that it serves nobody else, and that it is not stopped"
    case .malformed: "see that it is a vhost-user back-end; one that breaks the protocol cannot be used"
    case .refused("getConfig"): "see that it is a back-end for this type of device, and how large its configuration is"
    case .refused: "its own messages may say why; see that it is a back-end for this type of device"
    case .unusable, .host: nil
    }
  }
}

extension [UInt8] {
  /// Appends a number, little-endian.
  mutating func append<Number: FixedWidthInteger>(number: Number) {
    for index in 0..<Number.bitWidth / 8 { append(UInt8(truncatingIfNeeded: number >> Number(8 * index))) }
  }

  /// The little-endian number at `offset`; nil: not all of it is there.
  func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number? {
    guard offset >= 0, offset + Number.bitWidth / 8 <= count else { return nil }
    var value: Number = 0
    for index in 0..<Number.bitWidth / 8 {
      value |= Number(truncatingIfNeeded: self[offset + index]) << Number(8 * index)
    }
    return value
  }
}
