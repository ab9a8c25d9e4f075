internal import Machine

/// The vCPU that executes the call.
public enum Processor {
  /// The affinity fields of MPIDR_EL1, by which PSCI and the device tree name a vCPU.
  public static var affinity: UInt64 { machine_get_mpidr_el1() & 0xFF_00FF_FFFF }

  /// Waits until an interrupt is pending, also while interrupts are masked.
  public static func waitForInterrupt() { machine_wait_for_interrupt() }

  /// An ID register of op0 3, op1 0 and CRn 0.
  ///
  /// - Parameter index: CRm in bits 5 to 3 and op2 in bits 2 to 0; 8 to 63.
  public static func identification(_ index: UInt64) -> UInt64 { machine_identification(index) }

  /// CTR_EL0.
  public static var cacheType: UInt64 { machine_get_ctr_el0() }

  public static func waitForEvent() { machine_wait_for_event() }

  public static func sendEvent() { machine_send_event() }

  public static func unmaskInterrupts() { machine_unmask_interrupts() }

  public static func maskInterrupts() { machine_mask_interrupts() }
}

/// The virtual timer of the vCPU that executes the call.
public enum VirtualTimer {
  /// The PPI that every board's virtual timer has (BSA): 27.
  public static var interrupt: UInt32 { 27 }

  /// In Hz.
  public static var frequency: UInt64 { machine_get_cntfrq_el0() }

  public static var count: UInt64 { machine_get_cntvct_el0() }

  /// The same, and not read before what stands before it in the program.
  public static var countInOrder: UInt64 {
    machine_synchronize()
    return machine_get_cntvct_el0()
  }

  /// The physical counter, read in order.
  public static var physicalCountInOrder: UInt64 {
    machine_synchronize()
    return machine_get_cntpct_el0()
  }

  /// Asserts the interrupt once, in `ticks`.
  public static func start(in ticks: UInt32) {
    // SAFETY: the timer's registers; they touch no memory.
    unsafe machine_set_cntv_tval_el0(UInt64(ticks))
    unsafe machine_set_cntv_ctl_el0(1)
  }

  public static func stop() {
    // SAFETY: as for start(in:).
    unsafe machine_set_cntv_ctl_el0(0)
  }
}

/// Accesses to any address at all, for guests that are meant to go wrong.
public enum Probe {
  public static func read(_ address: UInt) { _ = DeviceRegister(address).read32() }

  public static func write(_ address: UInt) { DeviceRegister(address).write32(0xDEAD_BEEF) }

  public static func loadPair(_ address: UInt) {
    // SAFETY: a fault is what the caller wants; nothing but a fault comes of it.
    _ = unsafe machine_load_pair(address)
  }

  public static func storePair(_ address: UInt) {
    // SAFETY: as for loadPair(_:).
    unsafe machine_store_pair(address, 0xDEAD_BEEF)
  }

  public static func jump(_ address: UInt) {
    // SAFETY: as for loadPair(_:).
    unsafe machine_jump(address)
  }
}
