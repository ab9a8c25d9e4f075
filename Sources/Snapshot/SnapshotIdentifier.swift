internal import CSnapshot
internal import Host

/// What tells a snapshot from every other one: 16 random bytes.
package struct SnapshotIdentifier: Hashable, Sendable, CustomStringConvertible {
  /// How many bytes it has.
  static let size = 16

  /// All 16.
  package let bytes: [UInt8]

  /// A new one.
  package init() {
    bytes = HostRandom.bytes(count: Self.size)
  }

  init?(bytes: [UInt8]) {
    guard bytes.count == Self.size else { return nil }
    self.bytes = bytes
  }

  /// Reads 32 hexadecimal digits.
  package init?(_ text: String) {
    guard text.utf8.count == 2 * Self.size else { return nil }
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in text.utf8 {
      guard let value = Hexadecimal.value(of: digit) else { return nil }
      if let upper = high {
        bytes.append(upper << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    self.bytes = bytes
  }

  /// 32 hexadecimal digits.
  package var description: String { Hexadecimal.text(bytes) }

  /// What every checksum of the snapshot begins with, so that a file of another snapshot has a wrong one.
  var seed: UInt32 { Checksum.of(bytes) }
}

/// CRC-32C.
enum Checksum {
  static func of(_ bytes: [UInt8], after seed: UInt32 = 0) -> UInt32 {
    // SAFETY: the buffer holds for the call and its size goes along.
    unsafe bytes.withUnsafeBytes { unsafe csnapshot_crc32c(seed, $0.baseAddress, $0.count) }
  }

  static func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    // SAFETY: as above.
    unsafe bytes.withUnsafeBytes { unsafe csnapshot_crc32c(0, $0.baseAddress, $0.count) }
  }
}

/// Hexadecimal digits, of which only the lower-case ones are written and read.
package enum Hexadecimal {
  static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x61...0x66: digit - 0x57
    default: nil
    }
  }

  static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

  /// Two lower-case digits for each byte.
  package static func text(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(2 * bytes.count)
    for byte in bytes {
      text.append(digit(byte >> 4))
      text.append(digit(byte & 0xF))
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Eight digits.
  static func text(_ word: UInt32) -> String {
    text([24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) })
  }

  /// Reads eight digits.
  static func word(_ text: some Collection<UInt8>) -> UInt32? {
    guard text.count == 8 else { return nil }
    var word: UInt32 = 0
    for digit in text {
      guard let value = value(of: digit) else { return nil }
      word = word << 4 | UInt32(value)
    }
    return word
  }
}
