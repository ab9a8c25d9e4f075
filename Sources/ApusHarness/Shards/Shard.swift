/// One of several parts of a suite, each of which runs on a machine of its own.
public struct Shard: Sendable, Hashable, CustomStringConvertible {
  /// Which part, from 1.
  public let index: Int
  /// How many parts there are.
  public let count: Int

  /// More parts than anybody has machines.
  public static let maximumCount = 100_000

  /// - Parameters:
  ///   - index: from 1 to the count.
  ///   - count: from 1 to ``maximumCount``.
  /// - Throws: where there is no such part.
  public init(_ index: Int, of count: Int) throws(ShardError) {
    guard count >= 1, count <= Self.maximumCount else {
      throw ShardError("there cannot be \(count) shards; give 1 to \(Self.maximumCount)")
    }
    guard index >= 1, index <= count else {
      throw ShardError("there is no shard \(index) of \(count); give \(count == 1 ? "1" : "1 to \(count)")")
    }
    self.index = index
    self.count = count
  }

  public var description: String { "\(index)/\(count)" }
}

/// Why a part of a suite cannot be told.
public struct ShardError: Error, Equatable, Sendable, CustomStringConvertible {
  /// In words: what is wrong, and what to give.
  public let description: String

  public init(_ description: String) {
    self.description = description
  }
}

/// What is asked for: a part itself, or one whose place an engine's environment tells.
public enum ShardRequest: Sendable, Equatable {
  /// `I/N`
  case shard(Shard)
  /// `/N`: the place is in the environment.
  case count(Int)
  /// `auto`: place and count are in the environment.
  case automatic

  /// Reads `I/N`, `/N` or `auto`.
  ///
  /// - Throws: where the text is neither, or there is no such part.
  public init(_ text: String) throws(ShardError) {
    if text == "auto" {
      self = .automatic
      return
    }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let count = Self.number(parts[1]) else {
      throw ShardError("'\(text)' is no shard; give I/N, such as 2/4, or /N or auto where an engine tells the place")
    }
    if parts[0].isEmpty {
      _ = try Shard(1, of: count)
      self = .count(count)
      return
    }
    guard let index = Self.number(parts[0]) else {
      throw ShardError("'\(text)' is no shard; give I/N, such as 2/4, or /N or auto where an engine tells the place")
    }
    self = .shard(try Shard(index, of: count))
  }

  static func number(_ text: some StringProtocol) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 9, text.utf8.allSatisfy(PrintkStamp.isDigit) else { return nil }
    return Int(text)
  }
}
