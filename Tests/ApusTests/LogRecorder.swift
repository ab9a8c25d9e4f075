import Logging
import Synchronization

/// Keeps what is logged.
struct LogRecorder: LogHandler {
  private final class Events: Sendable {
    let all = Mutex<[(level: Logger.Level, message: String)]>([])
  }

  private let events = Events()
  var logLevel: Logger.Level
  var metadata = Logger.Metadata()

  /// - Parameter level: from which on messages are kept.
  init(from level: Logger.Level) {
    logLevel = level
  }

  /// Writes here.
  var logger: Logger { Logger(label: "test") { _ in self } }

  /// What was logged so far.
  var messages: [String] { events.all.withLock { $0.map(\.message) } }

  /// The same, each behind its level.
  var lines: [String] { events.all.withLock { $0.map { "\($0.level) \($0.message)" } } }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    events.all.withLock { $0.append((event.level, "\(event.message)")) }
  }
}
