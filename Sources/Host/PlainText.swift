extension String {
  /// The text for a terminal or a log: in one line, and with nothing that such a place acts upon.
  ///
  /// Control characters, those that set lines or the direction of text, and what nobody has a glyph for stand as `\n`,
  /// `\t`, `\r`, `\x1b` or `\u{202e}`; a byte of a path that is no UTF-8 as `\xff`. The rest stays as it is, so a text
  /// that has been through here comes out of it as it went in.
  package var plain: String {
    guard utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return self }
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      if let byte = HostPath.byte(scalar) {
        result += "\\x\(String(byte, radix: 16))".unicodeScalars
      } else if Self.isPlain(scalar) {
        result.append(scalar)
      } else {
        result += Self.escape(scalar).unicodeScalars
      }
    }
    return String(result)
  }

  /// Whether a character stands as it is in ``plain``.
  package static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    if (0x20..<0x7F).contains(scalar.value) { return true }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: return false
    default: return true
    }
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": return "\\n"
    case "\r": return "\\r"
    case "\t": return "\\t"
    default:
      let digits = String(scalar.value, radix: 16)
      return scalar.value < 0x80 ? "\\x" + (digits.utf8.count == 1 ? "0" : "") + digits : "\\u{\(digits)}"
    }
  }
}
