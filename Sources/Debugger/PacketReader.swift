/// Finds packets in what a debugger sends (Debugging with GDB, "Overview" of the remote protocol).
///
/// A packet is `$`, its text, `#` and two digits of checksum; what stands between packets is an acknowledgement or an
/// interrupt, and all else is passed over. Whatever comes, no more than ``limit`` bytes are kept.
public struct PacketReader: Sendable {
  /// How long a packet's text may be, in bytes: what `qSupported` tells as `PacketSize`.
  public static let limit = 16 << 10

  /// What was found.
  public enum Event: Equatable, Sendable {
    /// A packet whose checksum holds; its text with the escapes taken out.
    case packet([UInt8])
    /// A packet whose checksum does not hold.
    case damaged
    /// A packet that is too long, or ends in the middle of an escape. It was passed over.
    case unusable
    /// `+`: the last packet has arrived.
    case acknowledged
    /// `-`: the last packet is wanted once more.
    case refused
    /// 0x03: the machine is to stop.
    case interrupt
  }

  private enum State {
    case between
    case text
    case firstDigit
    case secondDigit(UInt8)
  }

  private var state = State.between
  private var text: [UInt8] = []
  private var sum: UInt8 = 0
  private var isEscaped = false
  private var isUnusable = false

  /// A reader before the first byte.
  public init() {}

  /// Takes the next byte.
  ///
  /// - Returns: what it completes, if anything.
  public mutating func next(_ byte: UInt8) -> Event? {
    switch state {
    case .between:
      switch byte {
      case UInt8(ascii: "$"): begin()
      case UInt8(ascii: "+"): return .acknowledged
      case UInt8(ascii: "-"): return .refused
      case 0x03: return .interrupt
      default: break
      }
    case .text: take(byte)
    case .firstDigit: state = .secondDigit(byte)
    case .secondDigit(let first):
      state = .between
      defer { text = [] }
      guard let high = Hexadecimal.value(first), let low = Hexadecimal.value(byte), high << 4 | low == sum else {
        return .damaged
      }
      return isUnusable || isEscaped ? .unusable : .packet(text)
    }
    return nil
  }

  private mutating func begin() {
    state = .text
    text = []
    sum = 0
    isEscaped = false
    isUnusable = false
  }

  private mutating func take(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "#"):
      state = .firstDigit
      return
    // It cannot stand in a packet: the end of the one before it was lost.
    case UInt8(ascii: "$"): return begin()
    default: sum &+= byte
    }
    if byte == PacketWriter.escape, !isEscaped {
      isEscaped = true
    } else if text.count < Self.limit {
      text.append(isEscaped ? byte ^ PacketWriter.escapeBit : byte)
      isEscaped = false
    } else {
      isUnusable = true
    }
  }
}

/// Makes packets.
public enum PacketWriter {
  /// What stands before a byte that a packet may not have.
  static let escape = UInt8(ascii: "}")
  /// What such a byte is changed by.
  static let escapeBit: UInt8 = 0x20

  /// A packet with this text; what may not stand in it is escaped.
  public static func packet(_ text: some Sequence<UInt8>) -> [UInt8] {
    var packet: [UInt8] = [UInt8(ascii: "$")]
    var sum: UInt8 = 0
    func append(_ byte: UInt8) {
      packet.append(byte)
      sum &+= byte
    }
    for byte in text {
      switch byte {
      // `*` begins a repetition in what a stub sends.
      case UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "*"), escape:
        append(escape)
        append(byte ^ escapeBit)
      default: append(byte)
      }
    }
    packet.append(UInt8(ascii: "#"))
    Hexadecimal.append(CollectionOfOne(sum), to: &packet)
    return packet
  }
}
