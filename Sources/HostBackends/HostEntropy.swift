import CHost
internal import Glibc
import VirtioDevices

/// The host's random numbers, for guests.
package final class HostEntropy: EntropySource {
  /// getrandom never blocks once the host has started, and gives up to 256 bytes without a check for signals.
  package init() {}

  package func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let base = buffer.baseAddress else { return 0 }
    // SAFETY: the buffer is the caller's and its size goes along.
    return max(0, unsafe Int(chost_random(base, buffer.count)))
  }
}
