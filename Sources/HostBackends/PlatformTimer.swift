package import Host
package import SCMI
import VirtioDevices

/// A timer on the platform's clock.
package final class PlatformTimer: SCMITimer {
  /// What the event loop waits for; ``fired()`` is to be called then.
  package let timer: HostTimer
  private let platform: SharedPlatform
  private var armed: UInt64?
  /// The platform's clock stands: no deadline comes nearer.
  private var isSuspended = false

  /// - Throws: where the host has no timer left.
  package init(_ platform: SharedPlatform) throws(HostError) {
    timer = try HostTimer()
    self.platform = platform
  }

  package func arm(_ deadline: UInt64?) {
    // Most requests change no deadline, and setting a timer is a system call.
    guard deadline != armed else { return }
    armed = deadline
    set()
  }

  private func set() {
    guard !isSuspended else { return }
    guard let deadline = armed else { return timer.disarm() }
    let now = platform.now
    timer.arm(after: deadline > now ? deadline - now : 1)
  }

  /// The timer has fired, and the same deadline would need it again.
  package func fired() {
    timer.clear()
    armed = nil
  }

  /// The platform's clock stands from now on.
  package func suspend() {
    isSuspended = true
    timer.disarm()
  }

  /// The platform's clock goes on.
  package func resume() {
    isSuspended = false
    set()
  }
}
