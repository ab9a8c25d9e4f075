/// Takes the bytes of an exercise apart. Behind the end everything is zero.
struct InputBytes {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  var isAtEnd: Bool { position >= bytes.count }

  mutating func byte() -> UInt8 {
    guard position < bytes.count else { return 0 }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func word() -> UInt64 {
    var word: UInt64 = 0
    for shift in 0..<8 { word |= UInt64(byte()) << UInt64(8 * shift) }
    return word
  }

  /// A number as a guest may give it for a small one: mostly that, sometimes one of the others that mean something.
  mutating func number() -> UInt64 {
    let choice = byte()
    switch choice {
    case 255: return .max
    case 254: return .max - 1
    case 253: return UInt64(UInt32.max)
    case 252: return UInt64(UInt32.max) - 1
    case 251: return word()
    case 250: return 1 << 32 | UInt64(byte())
    default: return UInt64(choice)
    }
  }
}
