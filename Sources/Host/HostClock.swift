internal import CHost
internal import Glibc

/// Clocks of the host, in nanoseconds.
package enum HostClock {
  /// Since some moment before the process started; it never steps.
  package static var monotonic: UInt64 { chost_clock(CLOCK_MONOTONIC) }
  /// Processor time of the whole process, in user and kernel mode.
  package static var processTime: UInt64 { chost_clock(CLOCK_PROCESS_CPUTIME_ID) }
  /// Processor time of the whole process so far, apart.
  package static var processTimes: (user: UInt64, system: UInt64) {
    let times = chost_process_times()
    return (times.user, times.system)
  }

  /// Processor time of the calling thread so far, apart.
  package static var threadTimes: (user: UInt64, system: UInt64) {
    let times = chost_thread_times()
    return (times.user, times.system)
  }

  /// Nanoseconds since 1970.
  package static var wallNanoseconds: UInt64 { chost_clock(CLOCK_REALTIME) }

  /// Seconds since 1970.
  package static var wallSeconds: Int64 { Int64(chost_clock(CLOCK_REALTIME) / 1_000_000_000) }
}

extension Duration {
  /// Whole nanoseconds, at most some 584 years of them; 0 for a time that is negative.
  package var nanoseconds: UInt64 {
    guard self > .zero else { return 0 }
    let (seconds, attoseconds) = components
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, overflowOfSum) = product.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
    return overflow || overflowOfSum ? .max : sum
  }
}
