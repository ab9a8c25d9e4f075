import Logging

/// A log handler that hands on what it is told to another one, and has nothing else of its own than what it makes of a
/// line.
protocol PassingLogHandler: LogHandler {
  /// The one that it hands on to.
  var base: any LogHandler { get set }
}

extension PassingLogHandler {
  var metadataProvider: Logger.MetadataProvider? {
    get { base.metadataProvider }
    set { base.metadataProvider = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { base[metadataKey: key] }
    set { base[metadataKey: key] = newValue }
  }

  var metadata: Logger.Metadata {
    get { base.metadata }
    set { base.metadata = newValue }
  }

  var logLevel: Logger.Level {
    get { base.logLevel }
    set { base.logLevel = newValue }
  }
}
