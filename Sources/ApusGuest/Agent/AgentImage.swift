/// The agent as a program, which the package's build compiled.
enum AgentImage {
  /// An ELF executable for the architecture that this program was built for.
  static let program = Base64.bytes(agentProgram)
}

/// The text form of bytes, RFC 4648 section 4.
enum Base64 {
  /// The bytes; what is none of the alphabet is passed over.
  ///
  /// Each guest's start reads the agent so: in memory, and not letter by letter of a text.
  static func bytes(_ text: String) -> [UInt8] {
    var text = text
    return text.withUTF8 { letters in
      // SAFETY: four letters make three bytes, so there is room for all, and `count` bytes are written.
      unsafe [UInt8](unsafeUninitializedCapacity: letters.count / 4 * 3 + 3) { bytes, count in
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        var index = 0
        while index < letters.count {
          let letter = unsafe letters[index]
          index += 1
          guard let value = value(letter) else { continue }
          bits = bits << 6 | value
          bitCount += 6
          guard bitCount >= 8 else { continue }
          bitCount -= 8
          unsafe bytes[count] = UInt8(truncatingIfNeeded: bits >> bitCount)
          count += 1
        }
      }
    }
  }

  private static func value(_ letter: UInt8) -> UInt32? {
    switch letter {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(letter - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(letter - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(letter - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
