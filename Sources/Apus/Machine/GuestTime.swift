import Host
import KVM

/// The time that passes for a machine's guest. It stands while somebody holds all vCPUs for as long as he likes: the
/// virtual counter, from which an operating system has its clock and its timers, the machine's time limit, and the
/// clock of a platform of its own. On the device thread.
///
/// The physical counter and the real-time clock are the host's, and go on.
final class GuestTime {
  private let runner: VCPURunner
  private let clock: StoppableClock
  private let devices: DeviceSet
  /// How many want it to stand.
  private var stops = 0
  /// CNTVCT_EL0 as it stood.
  private var counter: UInt64 = 0

  /// - Parameters:
  ///   - runner: of any vCPU: they share the counter.
  ///   - clock: the machine's.
  init(_ runner: VCPURunner, _ clock: StoppableClock, _ devices: DeviceSet) {
    self.runner = runner
    self.clock = clock
    self.devices = devices
  }

  /// Has time stand, until ``start()`` was called as often. While all vCPUs are held.
  ///
  /// - Throws: where KVM does not tell the counter; time goes on then.
  func stop() throws(KVMError) {
    if stops == 0 {
      counter = try runner.vcpu.register(.virtualCounter)
      clock.stop()
      devices.stopTime()
    }
    stops += 1
  }

  /// Has the counter stand at a value of another machine's, from where it goes on. While the time stands.
  func restore(virtualCounter: UInt64) {
    precondition(stops > 0, "time stands while it is set")
    counter = virtualCounter
  }

  /// CNTVCT_EL0. While the time stands.
  var virtualCounter: UInt64 { counter }

  /// Lets time go on where nobody else wants it to stand. Before any vCPU goes on.
  ///
  /// - Throws: where KVM does not take the counter; the guest then sees it leap.
  func start() throws(KVMError) {
    // It goes where KVM has not told where to have it stand.
    guard stops > 0 else { return }
    stops -= 1
    guard stops == 0 else { return }
    devices.startTime()
    clock.start()
    // Of one vCPU it is all vCPUs', and moves what their timers compare with.
    try runner.vcpu.setRegister(.virtualCounter, counter)
  }
}
