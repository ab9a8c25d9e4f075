internal import CKVM

/// Why KVM_RUN came back.
///
/// Documentation/virt/kvm/api.rst, "The kvm_run structure".
public enum VirtualCPUExit: Sendable {
  /// KVM_EXIT_MMIO: the guest reads `width` bytes (1, 2, 4 or 8) where there is no memory.
  case mmioRead(address: UInt64, width: Int)
  /// KVM_EXIT_MMIO: the guest writes the low `width` bytes (1, 2, 4 or 8) of `value` where there is no memory.
  case mmioWrite(address: UInt64, value: UInt64, width: Int)
  /// KVM_EXIT_SYSTEM_EVENT: PSCI's SYSTEM_OFF, SYSTEM_RESET or another end.
  case systemEvent(SystemEvent)
  /// KVM_EXIT_ARM_NISV: an access to a device by an instruction that leaves no syndrome (a load of a pair, for
  /// example), so that nobody can emulate it. `iss` is the low part of ESR_EL2.
  case noSyndrome(iss: UInt64, address: UInt64)
  /// KVM_EXIT_HYPERCALL: a call that ``VirtualMachine/filterCalls(_:action:)`` has asked for. The guest's next
  /// instruction is the one behind the call; `number` is its w0, and `isSMC` whether it came by SMC and not by HVC.
  case hypercall(number: UInt32, isSMC: Bool)
  /// KVM_EXIT_DEBUG: a breakpoint, a watchpoint or a step that ``VirtualCPU/setGuestDebug(_:)`` has asked for.
  /// `syndrome` is the low part of ESR_EL2, `address` FAR_EL2 of a watchpoint.
  case debug(syndrome: UInt32, address: UInt64)
  /// The thread got a signal or the vCPU was kicked.
  case interrupted
  /// KVM_RUN failed.
  case refused(errno: Int32)
  /// KVM_EXIT_INTERNAL_ERROR or KVM_EXIT_FAIL_ENTRY: KVM cannot go on. The number is KVM's exit reason.
  case failed(reason: UInt32)
  /// An exit that Apus has not asked for.
  case unexpected(reason: UInt32)

  @inline(__always)
  init(_ run: UnsafeMutablePointer<kvm_run>) {
    // SAFETY: the caller holds the run area after KVM_RUN returned; each branch reads the fields of its exit reason.
    let reason = unsafe run.pointee.exit_reason
    switch Int32(reason) {
    case KVM_EXIT_MMIO:
      let mmio = unsafe ckvm_run_mmio(run)
      self =
        mmio.is_write
        ? .mmioWrite(address: mmio.address, value: mmio.data, width: Int(mmio.length))
        : .mmioRead(address: mmio.address, width: Int(mmio.length))
    case KVM_EXIT_SYSTEM_EVENT:
      self = .systemEvent(SystemEvent(unsafe ckvm_run_system_event(run)))
    case KVM_EXIT_ARM_NISV:
      let fault = unsafe ckvm_run_no_syndrome(run)
      self = .noSyndrome(iss: fault.iss, address: fault.address)
    case KVM_EXIT_DEBUG:
      let exit = unsafe ckvm_run_debug_exit(run)
      self = .debug(syndrome: exit.syndrome_low, address: exit.fault_address)
    case KVM_EXIT_HYPERCALL:
      let call = unsafe ckvm_run_hypercall(run)
      self = .hypercall(number: call.number, isSMC: call.is_smc)
    case KVM_EXIT_INTR: self = .interrupted
    case KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_FAIL_ENTRY, KVM_EXIT_UNKNOWN: self = .failed(reason: reason)
    default: self = .unexpected(reason: reason)
    }
  }
}

/// What KVM_EXIT_SYSTEM_EVENT tells.
public enum SystemEvent: Equatable, Sendable {
  /// PSCI SYSTEM_OFF, or SYSTEM_OFF2.
  case shutdown
  /// PSCI SYSTEM_RESET.
  case reset
  /// PSCI SYSTEM_RESET2: the guest's type is in x1, its cookie in x2.
  case reset2
  /// The guest reported a crash.
  case crash
  /// An event that Apus has not asked for.
  case other(UInt32)

  init(_ event: ckvm_system_event) {
    switch Int32(event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN: self = .shutdown
    // KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2
    case KVM_SYSTEM_EVENT_RESET: self = event.flags & 1 != 0 ? .reset2 : .reset
    case KVM_SYSTEM_EVENT_CRASH: self = .crash
    default: self = .other(event.type)
    }
  }
}
