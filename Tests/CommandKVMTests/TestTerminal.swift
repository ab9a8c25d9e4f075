import CHost
import Glibc
import TestLimits

/// A pseudo-terminal with the settings that a person's has, and a person's end of it.
final class TestTerminal {
  /// The terminal, for a process to use as its own.
  let path: String
  private let keyboard: Int32
  private let screen: Int32
  private var shown: [UInt8] = []

  init() throws {
    var name = [CChar](repeating: 0, count: 128)
    // SAFETY: the buffer holds for the calls and its size goes along.
    keyboard = unsafe chost_pseudo_terminal_open(&name, name.count)
    path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // Keeps the terminal and its settings when the process has ended.
    screen = unsafe open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard keyboard >= 0, screen >= 0 else {
      throw CommandProcess.Failure(description: "no pseudo-terminal: errno \(errno)")
    }
    var settings = self.settings
    settings.c_lflag |= Self.localModes
    settings.c_iflag |= Self.inputModes
    settings.c_oflag |= Self.outputModes
    // SAFETY: the structure holds for the call.
    _ = unsafe tcsetattr(screen, TCSANOW, &settings)
  }

  deinit {
    close(keyboard)
    close(screen)
  }

  private static let localModes = tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
  private static let inputModes = tcflag_t(ICRNL | IXON)
  private static let outputModes = tcflag_t(OPOST | ONLCR)

  private var settings: termios {
    var settings = termios()
    // SAFETY: the structure holds for the call.
    _ = unsafe tcgetattr(screen, &settings)
    return settings
  }

  /// Whether each key goes to the program at once.
  var isRaw: Bool { settings.c_lflag & Self.localModes == 0 }

  /// Whether the settings are those that the terminal had at first.
  var isAsBefore: Bool {
    let settings = settings
    return settings.c_lflag & Self.localModes == Self.localModes
      && settings.c_iflag & Self.inputModes == Self.inputModes
      && settings.c_oflag & Self.outputModes == Self.outputModes
  }

  /// Types.
  func type(_ text: String) {
    let bytes = Array(text.utf8)
    // SAFETY: the buffer holds for the call and its size goes along.
    _ = unsafe write(keyboard, bytes, bytes.count)
  }

  /// Waits for text on the screen.
  func expect(_ text: String, within limit: Duration = .seconds(120)) throws {
    let limit = TestLimit(limit)
    while !String(decoding: shown, as: UTF8.self).contains(text) {
      guard !limit.hasPassed else {
        throw CommandProcess.Failure(
          description: "'\(text)' did not come, but: \(String(decoding: shown.suffix(2000), as: UTF8.self))"
        )
      }
      var request = pollfd(fd: keyboard, events: Int16(POLLIN), revents: 0)
      var chunk = [UInt8](repeating: 0, count: 4096)
      // SAFETY: structure and buffer hold for the calls and the buffer's size goes along.
      _ = unsafe poll(&request, 1, 50)
      let count = unsafe read(keyboard, &chunk, chunk.count)
      if count > 0 { shown += chunk[..<count] }
    }
  }
}
