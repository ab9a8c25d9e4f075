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
      let groups = text.split(separator: "-", omittingEmptySubsequences: false)
      guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
      let digits = groups.joined().compactMap(\.hexDigitValue)
      guard digits.count == 32 else { return nil }
      bytes = (0..<16).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) }
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
