import ApusControl
import HostBackends
internal import Synchronization

extension MachineControl {
  /// The guest's console.
  func addConsole(to table: inout ControlTable) {
    table.on(Control.ConsoleSubscribe.self) { [console] parameters, answer in
      let listening = Listening()
      let subscription = answer.subscribe { listening.end() }
      answer.succeed(.init(subscription.number))
      let encoder = TextEncoder(parameters.encoding ?? .text)
      let number = console.listen(replay: parameters.replay ?? false) { bytes in
        let data = encoder.encode(bytes)
        if !data.isEmpty { subscription.tell(Control.ConsoleOutput.self, .init(data: data)) }
      }
      listening.begin { console.end(number) }
    }
    table.on(Control.ConsoleSend.self) { [console] parameters, answer in
      let bytes: [UInt8]
      switch parameters.encoding ?? .text {
      case .text: bytes = Array(parameters.data.utf8)
      case .base64:
        guard let decoded = Base64.decode(parameters.data) else {
          return answer.fail(.invalidParameters, "data: this is no base64 (RFC 4648, with padding)")
        }
        bytes = decoded
      }
      guard console.send(bytes) else {
        let message =
          "the guest has not read what was typed before: no more than \(ConsoleMonitor.inputLimit) bytes wait"
        return answer.fail(.refused, message)
      }
      answer.succeed()
    }
  }
}

/// Somebody who listens for a subscription, which may end before that one has begun.
final class Listening: Sendable {
  private enum State {
    case new
    case begun(stop: @Sendable () -> Void)
    case ended
  }

  private let state = Mutex(State.new)

  /// Somebody listens.
  ///
  /// - Parameter stop: ends that; called once, with the subscription's end, or at once where that has come already.
  func begin(_ stop: @escaping @Sendable () -> Void) {
    let hasEnded = state.withLock { state in
      if case .ended = state { return true }
      state = .begun(stop: stop)
      return false
    }
    if hasEnded { stop() }
  }

  /// The subscription has ended.
  func end() {
    let former = state.withLock { state in
      defer { state = .ended }
      return state
    }
    if case .begun(let stop) = former { stop() }
  }
}

/// Makes text of bytes that come in pieces.
private final class TextEncoder: Sendable {
  private let encoding: Control.Encoding
  /// The beginning of a character whose rest has not come yet.
  private let rest = Mutex<[UInt8]>([])

  init(_ encoding: Control.Encoding) {
    self.encoding = encoding
  }

  func encode(_ bytes: ArraySlice<UInt8>) -> String {
    switch encoding {
    case .base64: return Base64.encode(bytes)
    case .text:
      return rest.withLock { rest in
        let all = rest + bytes
        let cut = all.count - Self.unfinished(all)
        rest = Array(all[cut...])
        return String(decoding: all[..<cut], as: UTF8.self)
      }
    }
  }

  /// How many bytes at the end begin a character that is longer.
  private static func unfinished(_ bytes: [UInt8]) -> Int {
    for count in 1..<4 where count <= bytes.count {
      let byte = bytes[bytes.count - count]
      guard byte & 0xC0 != 0x80 else { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > count ? count : 0
    }
    return 0
  }
}
