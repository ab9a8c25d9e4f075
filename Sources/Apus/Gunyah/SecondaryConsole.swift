import GuestABI
import KVM
import Peripherals
internal import Synchronization

/// A secondary machine's PL011, whose output goes to its owner's messages line by line. There is no input.
final class SecondaryConsole: Sendable {
  private struct State {
    var uart = PL011()
    var line: [UInt8] = []
    var level = false
  }

  private let state = Mutex(State())
  private let shared: SharedMachine
  private let output: @Sendable ([UInt8]) -> Void

  /// The most bytes of a line; longer ones are told in pieces.
  private static let lineLimit = 1024

  init(_ shared: SharedMachine, _ output: @escaping @Sendable ([UInt8]) -> Void) {
    self.shared = shared
    self.output = output
  }

  func read(at offset: UInt64, width: Int) -> UInt64 {
    state.withLock { state in
      defer { settle(&state) }
      return state.uart.read(at: offset, width: width)
    }
  }

  func write(_ value: UInt64, at offset: UInt64, width: Int) {
    state.withLock { state in
      state.uart.write(value, at: offset, width: width)
      while let character = state.uart.takeTransmitted() {
        if character == UInt8(ascii: "\n") || state.line.count == Self.lineLimit { tell(&state) }
        if character != UInt8(ascii: "\n"), character != UInt8(ascii: "\r") { state.line.append(character) }
      }
      settle(&state)
    }
  }

  /// Tells what has no end of line.
  func finish() { state.withLock { if !$0.line.isEmpty { tell(&$0) } } }

  private func tell(_ state: inout State) {
    output(state.line)
    state.line.removeAll(keepingCapacity: true)
  }

  private func settle(_ state: inout State) {
    let level = state.uart.interruptLevel
    guard level != state.level else { return }
    state.level = level
    shared.drive(MemoryMap.SharedInterrupt.pl011, level)
  }
}
