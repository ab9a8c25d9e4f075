extension Duration {
  /// In seconds, with at most three digits behind the point and none that says nothing.
  package var inSeconds: String {
    let (seconds, attoseconds) = components
    let milliseconds = attoseconds / 1_000_000_000_000_000
    guard milliseconds > 0 else { return "\(seconds) s" }
    var digits = String(milliseconds)
    digits = String(repeating: "0", count: 3 - digits.utf8.count) + digits
    while digits.last == "0" { digits.removeLast() }
    return "\(seconds).\(digits) s"
  }
}
