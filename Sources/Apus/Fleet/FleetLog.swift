import Logging

/// Where the words about a machine go: the fleet's log, with the machine's name before each.
struct FleetLog: PassingLogHandler {
  var base: any LogHandler
  private let name: String

  /// What one machine logs to.
  static func logger(over logger: Logger, for name: String) -> Logger {
    let handler = FleetLog(base: logger.handler, name: name)
    return Logger(label: logger.label) { _ in handler }
  }

  private init(base: any LogHandler, name: String) {
    self.base = base
    self.name = name
  }

  func log(event: LogEvent) {
    var event = event
    event.message = "\(name): \(event.message)"
    base.log(event: event)
  }
}
