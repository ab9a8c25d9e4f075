import KVM

/// KVM's machine and its interrupt controller, shared by the threads that run it.
///
/// It goes when the last of them lets go, which is after all vCPUs have been joined.
final class SharedMachine: Sendable {
  let machine: VirtualMachine
  private let interruptController: InterruptController

  init(_ machine: consuming VirtualMachine, _ interruptController: consuming InterruptController) {
    self.machine = machine
    self.interruptController = interruptController
  }
}

/// The level of one shared peripheral interrupt.
///
/// Not safe to drive from two threads at once: a device drives its line under its own lock.
struct LevelInterrupt: Sendable {
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
