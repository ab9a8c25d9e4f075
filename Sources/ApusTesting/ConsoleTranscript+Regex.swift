public import ApusGuest

extension ConsoleTranscript {
  /// Waits for a whole line, behind what was read so far, in which the pattern is found; it and all before it count as
  /// read then.
  ///
  /// - Parameters:
  ///   - pattern: is looked for in each line by itself, without the line's end.
  ///   - limit: how long to wait on a machine that has nothing else to do.
  /// - Returns: what of the line matches, and its parts.
  /// - Throws: `MissingOutput` where it doesn't come in time, or not before the machine's end.
  @discardableResult
  public func expect<Parts>(
    _ pattern: Regex<Parts>,
    within limit: Duration = .seconds(120)
  ) async throws(MissingOutput) -> Regex<Parts>.Match {
    var found: Regex<Parts>.Match?
    _ = try await expectLine("a line with the pattern", within: limit) { line in
      found = try? pattern.firstMatch(in: line)
      return found != nil
    }
    guard let found else { preconditionFailure("the line that was wanted is the one that matched") }
    return found
  }
}
