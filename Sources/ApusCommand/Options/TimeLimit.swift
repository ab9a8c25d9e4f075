import Host

/// A time as people write it: `10`, `1.5s`, `250ms`, `2m`.
///
/// A decimal number with at most nine digits behind the point and a unit: ms, s, m or h; without one it counts seconds.
struct TimeLimit: WrittenValue {
  /// The time, in whole nanoseconds: from 0 to some 292 years.
  let duration: Duration

  /// - Returns: nil where the text is of another form, or longer than 64 bits of nanoseconds hold.
  init?(_ text: String) {
    guard let (whole, rest) = text.leadingDigits() else { return nil }
    var fraction: Substring = "0"
    var unit = rest
    if rest.first == "." {
      guard let (digits, remainder) = String(rest.dropFirst()).leadingDigits(), digits.count <= 9 else {
        return nil
      }
      fraction = digits
      unit = remainder
    }
    let scale: Int64
    switch unit {
    case "ms": scale = 1_000_000
    case "", "s": scale = 1_000_000_000
    case "m": scale = 60_000_000_000
    case "h": scale = 3_600_000_000_000
    default: return nil
    }
    guard let number = Int64(whole), let part = Int64(fraction) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: scale)
    // Nine digits of an hour's 3.6 × 10¹² nanoseconds do not fit into 64 bits.
    let divisor = (0..<fraction.count).reduce(Int128(1)) { power, _ in power * 10 }
    let nanoseconds = Int64(Int128(part) * Int128(scale) / divisor)
    let (sum, overflowOfSum) = product.addingReportingOverflow(nanoseconds)
    guard !overflow, !overflowOfSum else { return nil }
    duration = .nanoseconds(sum)
  }

  /// In seconds, with as many decimals as it takes.
  var description: String {
    let (seconds, attoseconds) = duration.components
    let nanoseconds = attoseconds / 1_000_000_000
    guard nanoseconds != 0 else { return "\(seconds)s" }
    var decimals = Substring(String(1_000_000_000 + nanoseconds).dropFirst())
    while decimals.last == "0" { decimals.removeLast() }
    return "\(seconds).\(decimals)s"
  }

  static var form: String { "give seconds, or a number with ms, s, m or h, such as 10, 1.5s or 2m" }
}
