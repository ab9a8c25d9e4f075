internal import CLinux

/// What went wrong with memory that the host was asked for, or with an address in it.
public enum GuestMemoryError: Error, Equatable, Sendable {
  /// The host refused the memory. `attempt` names the call; `errno` is its reason.
  case hostRefused(attempt: String, size: UInt64, errno: Int32)
  /// The bytes named do not lie in the memory.
  case outOfRange(GuestAddress, count: UInt64, in: GuestRange)
}

extension GuestMemoryError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .hostRefused(let attempt, let size, let errno):
      "the host refused \(size) bytes of guest memory (\(attempt): \(errorText(errno))); "
        + "ask for less memory or free some on the host"
    case .outOfRange(let address, let count, let range):
      "\(count) bytes at \(address) do not lie in guest memory \(range)"
    }
  }
}

/// The C library's text for an error number.
package func errorText(_ number: Int32) -> String {
  // SAFETY: the buffer is this call's own and its size is passed along; the shim always ends the text with a zero.
  unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
    guard let base = buffer.baseAddress else { return "error \(number)" }
    unsafe clinux_error_text(number, base, buffer.count)
    return unsafe String(cString: base)
  }
}
