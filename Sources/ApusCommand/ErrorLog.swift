import Apus
import Glibc
import Host
import Logging

/// Writes the log to standard error, a line to a message: time, level, label, module, text.
///
/// Messages come from threads that must not wait, the machine's device thread and its vCPUs among them, so they go the
/// way of everything that Apus says: through ``StandardStreams/writeError(_:)``.
struct ErrorLog: LogHandler {
  let label: String
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]

  init(label: String, level: Logger.Level) {
    self.label = label
    logLevel = level
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    StandardStreams.writeError("\(Self.time) \(event.level) \(label): [\(event.source)] \(event.message)\n")
  }

  /// Now, in the time zone of the process.
  private static var time: String {
    var now = time_t()
    // SAFETY: all of it is zero, its pointer included.
    var parts = unsafe tm()
    // SAFETY: the variables hold for the calls; the buffer is this call's own and its size goes along.
    unsafe Glibc.time(&now)
    unsafe localtime_r(&now, &parts)
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      guard let base = buffer.baseAddress, unsafe strftime(base, buffer.count, "%Y-%m-%dT%H:%M:%S%z", &parts) > 0
      else { return "" }
      return unsafe String(cString: base)
    }
  }
}
