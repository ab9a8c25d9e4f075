/// Words that are not what QEMU's command line has: what is wrong, and what to give instead.
public struct QEMUSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The option as it was written, with its dash, or the word that is none.
  public let option: String
  /// What is wrong and what to give instead.
  public let reason: String

  /// A mistake at an option.
  public init(_ option: String, _ reason: String) {
    self.option = option
    self.reason = reason
  }

  /// The option, a colon and the reason.
  public var description: String { "\(option): \(reason)" }
}
