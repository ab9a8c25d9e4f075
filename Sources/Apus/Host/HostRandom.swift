/// The host's random numbers.
enum HostRandom {
  /// - Parameter count: a multiple of 8.
  static func bytes(count: Int) -> [UInt8] {
    precondition(count % 8 == 0, "random numbers come in words")
    var generator = SystemRandomNumberGenerator()
    return (0..<count / 8).flatMap { _ in
      let word = generator.next()
      return (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
    }
  }
}
