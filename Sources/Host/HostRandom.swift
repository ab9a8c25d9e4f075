internal import CHost

/// The host's random numbers.
package enum HostRandom {
  /// So many random bytes.
  package static func bytes(count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: the buffer is the array's and the shim is told what is left of it.
    unsafe bytes.withUnsafeMutableBytes { buffer in
      var filled = 0
      while filled < count, let base = buffer.baseAddress {
        let more = unsafe chost_random(base + filled, count - filled)
        // What the kernel says instead is that a signal came, or that it cannot, which no supported one does.
        precondition(more > 0 || chost_errno() == EINTR, "the kernel gives random numbers")
        filled += max(0, Int(more))
      }
    }
    return bytes
  }
}
