import KVM

/// KVM's machine, shared by the threads that run it.
///
/// It goes when the last of them lets go, which is after all vCPUs have been joined.
final class SharedMachine: Sendable {
  let machine: VirtualMachine

  init(_ machine: consuming VirtualMachine) {
    self.machine = machine
  }
}

/// The level of one shared peripheral interrupt.
///
/// Not safe to drive from two threads at once: a device drives its line under its own lock.
struct InterruptLine: Sendable {
  let machine: SharedMachine
  /// Counted from 0.
  let sharedPeripheralInterrupt: UInt32

  func set(_ level: Bool) {
    // KVM refuses only a number that does not exist, which would be a mistake of the memory map.
    do {
      try machine.machine.setInterruptLine(sharedPeripheralInterrupt: sharedPeripheralInterrupt, level: level)
    } catch {
      preconditionFailure("\(error)")
    }
  }
}
