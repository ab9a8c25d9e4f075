extension String {
  /// The text for a message: of a long one the beginning and the end. A name in a file may have megabytes.
  var shortened: String {
    let (beginning, end) = (600, 200)
    guard utf8.count > 1000, unicodeScalars.count > 1000 else { return self }
    let left = unicodeScalars.count - beginning - end
    return "\(Substring(unicodeScalars.prefix(beginning))) … (\(left) more) … \(Substring(unicodeScalars.suffix(end)))"
  }
}

extension [String: String] {
  /// In the order of the keys.
  var byKey: [(key: String, value: String)] { keys.sorted().compactMap { key in self[key].map { (key, $0) } } }
}

extension [String: UInt32] {
  /// In the order of the keys.
  var byKey: [(key: String, value: UInt32)] { keys.sorted().compactMap { key in self[key].map { (key, $0) } } }
}
