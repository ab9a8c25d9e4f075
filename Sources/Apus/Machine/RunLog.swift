import Host
import Logging
internal import Synchronization

/// Where the words about a machine go: the caller's log, through two checks.
///
/// A guest, a peer or a file can choose what stands in a line, so each is made plain (``Swift/String/plain``). And a
/// guest can make the same line come again and again, with each of its reboots, too: each place in the code has so many
/// lines in a run and no more. So whatever a guest does, a run's log is bounded.
struct RunLog: PassingLogHandler {
  /// How many lines a place in the code has.
  static let limit = 256

  /// A line of the code that logs, and how often it has. There are some dozens: a list, for the first dictionary of a
  /// program costs more than a run's log.
  private struct Place {
    let file: String
    let line: UInt
    var count = 0
  }

  private final class Counts: Sendable {
    private let places = Mutex<[Place]>([])

    func next(file: String, line: UInt) -> Int {
      places.withLock { places in
        guard let index = places.firstIndex(where: { $0.line == line && $0.file == file }) else {
          places.append(Place(file: file, line: line, count: 1))
          return 1
        }
        places[index].count += 1
        return places[index].count
      }
    }
  }

  var base: any LogHandler
  private let counts = Counts()

  /// What the machine itself logs to.
  static func logger(over logger: Logger) -> Logger {
    let handler = RunLog(base: logger.handler)
    return Logger(label: logger.label) { _ in handler }
  }

  private init(base: any LogHandler) {
    self.base = base
  }

  func log(event: LogEvent) {
    let count = counts.next(file: event.file, line: event.line)
    guard count <= Self.limit else { return }
    let end = count == Self.limit ? " (further lines like this one are not logged)" : ""
    var event = event
    event.message = "\("\(event.message)".plain + end)"
    base.log(event: event)
  }
}
