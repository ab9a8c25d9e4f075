import Host

extension Configuration {
  /// A universally unique identifier (RFC 9562).
  public struct UUID: Equatable, Sendable, CustomStringConvertible {
    /// The 16 bytes in the order of the text.
    public let bytes: [UInt8]

    /// A random one, version 4 (RFC 9562, 5.4).
    public static func random() -> UUID {
      var bytes = HostRandom.bytes(count: 16)
      bytes[6] = bytes[6] & 0x0F | 0x40
      bytes[8] = bytes[8] & 0x3F | 0x80
      return UUID(bytes: bytes)
    }

    private init(bytes: [UInt8]) {
      self.bytes = bytes
    }

    /// Reads the usual text of 36 characters, of either case; nil where it is of another form.
    public init?(_ text: String) {
      guard text.utf8.count == 36 else { return nil }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(16)
      var half: UInt8?
      var index = 0
      for character in text.utf8 {
        if index == 8 || index == 13 || index == 18 || index == 23 {
          guard character == UInt8(ascii: "-") else { return nil }
        } else {
          guard let digit = Self.digit(character) else { return nil }
          if let upper = half.take() { bytes.append(upper << 4 | digit) } else { half = digit }
        }
        index += 1
      }
      self.bytes = bytes
    }

    private static func digit(_ character: UInt8) -> UInt8? {
      switch character {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
      case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
      case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
      default: nil
      }
    }

    public var description: String {
      var text: [UInt8] = []
      text.reserveCapacity(36)
      for (index, byte) in bytes.enumerated() {
        if index == 4 || index == 6 || index == 8 || index == 10 { text.append(UInt8(ascii: "-")) }
        text.append(hexadecimalDigit(byte >> 4))
        text.append(hexadecimalDigit(byte & 0xF))
      }
      return String(decoding: text, as: UTF8.self)
    }
  }
}
