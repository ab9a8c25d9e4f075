public import SCMI

/// A small deterministic source of numbers.
public struct Dice {
  public var state: UInt64

  public init(state: UInt64) {
    self.state = state
  }

  public mutating func roll(_ bound: UInt64) -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state % bound
  }

  /// Mostly small numbers, sometimes an extreme one.
  public mutating func word() -> UInt32 {
    switch roll(10) {
    case 0: .max
    case 1: 0x8000_0000
    case 2: UInt32(truncatingIfNeeded: roll(.max))
    case 3...5: UInt32(roll(5_000))
    default: UInt32(roll(5))
    }
  }

  public mutating func request() -> SCMIMessage {
    let identifier = UInt8(roll(12) == 0 ? roll(256) : 0x10 + roll(10))
    let message = UInt8(roll(20) == 0 ? roll(256) : roll(0x11))
    var header = MessageHeader(identifier, message, token: UInt16(roll(1_024)))
    if roll(100) == 0 { header.rawValue ^= 1 << UInt32(roll(32)) }
    return SCMIMessage(header: header, payload: (0..<roll(6)).map { _ in word() })
  }
}
