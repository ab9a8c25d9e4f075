public import Apus
internal import Host

/// Why something that was asked of a guest did not come about.
public enum GuestError: Error, Sendable, CustomStringConvertible {
  /// The machine ended meanwhile.
  case ended(during: String, Outcome, lastWords: String)
  /// The time was over; what was waited for was ended.
  case timedOut(what: String, limit: Duration, lastWords: String)
  /// The agent in the guest was killed, or the guest reset; nobody knows how far it got.
  case agentLost(during: String)
  /// The guest's kernel refused it, for the reason that the number `errno` stands for.
  case refused(what: String, errno: Int32)
  /// The guest was started without an agent.
  case noAgent
  /// The waiting task was cancelled.
  case cancelled(what: String)

  public var description: String {
    switch self {
    case .ended(let what, let outcome, let lastWords):
      "the machine ended during \(what): \(outcome.message)\(Self.quoted(lastWords))"
    case .timedOut(let what, let limit, let lastWords):
      "\(what) did not end within \(limit)\(Self.quoted(lastWords))"
    case .agentLost(let what): "the guest's agent was killed, or the guest reset, during \(what)"
    case .refused(let what, let errno): "\(what): \(errorText(errno))"
    case .noAgent: "the guest has no agent: start it with one"
    case .cancelled(let what): "\(what) was given up, since its caller was cancelled"
    }
  }

  private static func quoted(_ lastWords: String) -> String {
    lastWords.isEmpty ? "" : "; the console's last lines:\n\(lastWords)"
  }
}
