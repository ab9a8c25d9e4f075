/// A number in hexadecimal, as messages write addresses: digits behind `0x`.
package func hexadecimalNumber(_ value: UInt64) -> String {
  "0x" + hexadecimalDigits(value)
}

/// A number in hexadecimal digits, without a prefix, as node names of a device tree have it.
///
/// The standard library's text of a number works for all types and radixes, and its first use costs as many
/// instructions as a device tree.
package func hexadecimalDigits(_ value: UInt64) -> String {
  var text: [UInt8] = []
  text.reserveCapacity(16)
  var shift = max(0, (UInt64.bitWidth - value.leadingZeroBitCount - 1) & ~3)
  while true {
    text.append(hexadecimalDigit(UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 0xF))
    guard shift > 0 else { return String(decoding: text, as: UTF8.self) }
    shift -= 4
  }
}

/// A number in decimal digits, for a text that each start makes.
package func decimalDigits(_ value: UInt64) -> String {
  var text: [UInt8] = []
  var rest = value
  repeat {
    text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
    rest /= 10
  } while rest > 0
  text.reverse()
  return String(decoding: text, as: UTF8.self)
}

/// The digit of a number below 16, in ASCII.
package func hexadecimalDigit(_ value: UInt8) -> UInt8 {
  value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
