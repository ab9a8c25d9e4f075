import VirtioDevices

/// The port `virtme.ret`, through which a guest says its exit status: decimal text from 0 to 255, and a line feed or
/// not.
package final class ExitStatusPort: HostPort {
  /// The name by which guests find it.
  package static let portName = "virtme.ret"
  /// More than any status has: what goes on longer is none.
  private static let limit = 16

  /// What the guest has written, no more than is looked at.
  private(set) var text: [UInt8] = []

  /// Whether the guest has written anything.
  package var isWritten: Bool { !text.isEmpty }

  /// The status, or nil where the guest wrote none or something else.
  package var status: Int32? {
    let digits = text.last == UInt8(ascii: "\n") ? text.dropLast() : text[...]
    guard 1...3 ~= digits.count, digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { return nil }
    let number = digits.reduce(Int32(0)) { 10 * $0 + Int32($1 - UInt8(ascii: "0")) }
    return number <= 255 ? number : nil
  }

  /// Goes on from what another one had.
  func restore(_ text: [UInt8]) { self.text = Array(text.prefix(Self.limit)) }

  package override func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = bytes.count
    for index in 0..<min(count, Self.limit - text.count) {
      // SAFETY: the buffer is valid for the call, and each byte is read once.
      text.append(unsafe bytes[index])
    }
    return count
  }

  /// What a program writes between opening and closing the port is one text, as in a file that it empties: a guest
  /// whose driver went in the middle of one, and came back, says its status anew.
  package override func guestChanged(isOpen: Bool) {
    if isOpen { text = [] }
  }
}
