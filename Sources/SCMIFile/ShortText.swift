extension String {
  /// The text for a message: of a long one the beginning and the end. A name in a file may have megabytes.
  var shortened: String {
    let (beginning, end) = (600, 200)
    guard utf8.count > 1000, unicodeScalars.count > 1000 else { return self }
    let left = unicodeScalars.count - beginning - end
    return "\(Substring(unicodeScalars.prefix(beginning))) … (\(left) more) … \(Substring(unicodeScalars.suffix(end)))"
  }
}
