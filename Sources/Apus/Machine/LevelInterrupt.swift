import KVM

/// KVM's machine and its interrupt controller, shared by the threads that run it.
///
/// It goes when the last of them lets go, which is after all vCPUs have been joined.
final class SharedMachine: Sendable {
  let machine: VirtualMachine
  let interruptController: InterruptController
  /// All memory of the guest, for whoever looks into it.
  let memory: GuestMemoryMap

  init(
    _ machine: consuming VirtualMachine,
    _ interruptController: consuming InterruptController,
    memory: GuestMemoryMap
  ) {
    self.machine = machine
    self.interruptController = interruptController
    self.memory = memory
  }

  /// Drives one of the shared peripheral interrupts, counted from 0; a level of true is an edge where that is its kind.
  func drive(_ sharedPeripheralInterrupt: UInt32, _ level: Bool) {
    // KVM refuses only a number that does not exist, which would be a mistake of the memory map.
    do {
      try machine.setInterruptLine(sharedPeripheralInterrupt: sharedPeripheralInterrupt, level: level)
    } catch {
      preconditionFailure("\(error)")
    }
  }
}

/// What a device drives to interrupt the guest.
///
/// A base class and not a protocol: the call is one indirect jump and counts no references. Not safe to drive from two
/// threads at once: a device drives its line under its own lock.
class LevelInterrupt: @unchecked Sendable {
  // SAFETY: @unchecked: what a line has does not change, or is its user's to lock.

  /// Asserts the line or takes it back.
  func set(_ level: Bool) {
    preconditionFailure("a line leads somewhere")
  }
}

/// The level of one of KVM's shared peripheral interrupts.
// SAFETY: @unchecked: it is immutable, and the machine's calls may come from any thread.
final class MachineLevelInterrupt: LevelInterrupt, @unchecked Sendable {
  private let machine: SharedMachine
  private let sharedPeripheralInterrupt: UInt32

  /// - Parameter sharedPeripheralInterrupt: counted from 0.
  init(_ machine: SharedMachine, sharedPeripheralInterrupt: UInt32) {
    self.machine = machine
    self.sharedPeripheralInterrupt = sharedPeripheralInterrupt
  }

  override func set(_ level: Bool) { machine.drive(sharedPeripheralInterrupt, level) }
}
