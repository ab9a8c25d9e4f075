internal import Glibc

/// How many times slower this machine is than those that the limits of tests were chosen on.
enum Slowness {
  /// 1 where it is not slower. Measured once, by the processor time of a loop.
  static let factor = max(1, (0..<3).map { _ in time() }.min().map { $0 / reference } ?? 1)

  /// What the loop took there, in seconds: on x86-64, and on an emulated host.
  private static let reference = EmulatedHost.lostTimePath == nil ? 0.0004 : 0.030

  private static func time() -> Double {
    let start = processorSeconds
    var state: (UInt16, UInt16, UInt16) = (1, 2, 3)
    var sum = 0
    // The C library is the same in debug and release builds.
    for _ in 0..<20_000 {
      // SAFETY: the three numbers lie one behind the other, and the pointer is to all of them.
      sum &+= unsafe withUnsafeMutableBytes(of: &state) { bytes in
        guard let base = unsafe bytes.assumingMemoryBound(to: UInt16.self).baseAddress else { return 0 }
        return unsafe nrand48(base)
      }
    }
    precondition(sum != 0, "a loop without a result could be left out")
    return processorSeconds - start
  }

  private static var processorSeconds: Double {
    var time = timespec()
    // SAFETY: the structure holds for the call.
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// For a test to show.
  static var measured: Double { time() }
}
