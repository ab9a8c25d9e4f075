import Apus
import ArgumentParser
import Logging

/// What the options come to.
struct Settings {
  var configuration: Configuration
  var logLevel = Logger.Level.notice
  /// Where the report goes, or nowhere.
  var report: String?

  /// The configuration with the devices in the order of their kinds.
  var complete: Configuration {
    var configuration = configuration
    configuration.devices.removeAll()
    var rank = 0
    while configuration.devices.count < self.configuration.devices.count {
      for device in self.configuration.devices where device.rank == rank { configuration.devices.append(device) }
      rank += 1
    }
    return configuration
  }
}

/// What one option changes.
///
/// Every option with a value is of this one type, whatever it takes: for each type of option that it has not seen yet
/// the argument parser asks the Swift runtime several times what the type conforms to, and each answer is a search
/// through all that is linked in, well over a hundred thousand instructions. `Documentation/Benchmarks.md` has the
/// figures.
struct Setting: Sendable {
  /// Reads an option's text, or throws a `ValidationError` that says what would be right.
  typealias Reader = @Sendable (String) throws -> Setting

  private let change: @Sendable (inout Settings) -> Void

  init(_ change: @escaping @Sendable (inout Settings) -> Void) {
    self.change = change
  }

  func apply(to settings: inout Settings) {
    change(&settings)
  }

  /// For an option that takes any text.
  static func text(
    _ change: @escaping @Sendable (inout Settings, String) -> Void
  ) -> Reader {
    { text in Setting { change(&$0, text) } }
  }

  /// For an option that takes a value of a type that knows its text.
  static func value<Value: WrittenValue>(
    _ change: @escaping @Sendable (inout Settings, Value) -> Void
  ) -> Reader {
    value(Value.init, form: Value.form, change)
  }

  /// For an option that takes a value of another type; `form` says what it looks like.
  static func value<Value: Sendable>(
    _ read: @escaping @Sendable (String) -> Value?,
    form: String,
    _ change: @escaping @Sendable (inout Settings, Value) -> Void
  ) -> Reader {
    { text in
      guard let value = read(text) else { throw ValidationError(form) }
      return Setting { change(&$0, value) }
    }
  }
}
