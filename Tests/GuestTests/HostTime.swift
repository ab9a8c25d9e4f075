import Glibc

/// The host's clock.
enum HostTime {
  /// Since 1970.
  static var seconds: Int64 {
    var now = timespec()
    // SAFETY: the structure holds for the call.
    _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec)
  }
}
