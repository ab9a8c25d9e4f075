public import Logging
internal import Synchronization

/// Keeps what is logged.
public struct LogRecorder: LogHandler {
  private final class Events: Sendable {
    let all = Mutex<[(level: Logger.Level, message: String)]>([])
  }

  private let events = Events()
  public var logLevel: Logger.Level
  public var metadata = Logger.Metadata()

  /// - Parameter level: from which on messages are kept.
  public init(from level: Logger.Level) {
    logLevel = level
  }

  /// Writes here.
  public var logger: Logger { Logger(label: "test") { _ in self } }

  /// What was logged so far.
  public var messages: [String] { events.all.withLock { $0.map(\.message) } }

  /// The same, each behind its level.
  public var lines: [String] { events.all.withLock { $0.map { "\($0.level) \($0.message)" } } }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    events.all.withLock { $0.append((event.level, "\(event.message)")) }
  }
}
