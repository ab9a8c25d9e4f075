internal import Glibc
import Host

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
        + (errno == EAGAIN
          ? "raise the limit of locked memory (ulimit -l)"
          : ErrorNumber.advice(errno, otherwise: "ask for less memory or free some on the host"))
    case .outOfRange(let address, let count, let range):
      "\(count) bytes at \(address) do not lie in guest memory \(range)"
    }
  }
}
