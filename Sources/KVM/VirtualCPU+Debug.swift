internal import CKVM
import Host

/// What a debugger wants of a vCPU (KVM_SET_GUEST_DEBUG).
public struct GuestDebug: Equatable, Sendable {
  /// Whether KVM_RUN comes back after each instruction.
  public var singleSteps = false
  /// Whether a BRK comes back, also one of the guest's own.
  public var takesBreakpointInstructions = false
  /// Pairs for DBGBCR and DBGBVR, in their order: at most as many as ``Capability/hardwareBreakpoints`` says.
  public var breakpoints: [RegisterPair] = []
  /// Pairs for DBGWCR and DBGWVR, in their order: at most as many as ``Capability/hardwareWatchpoints`` says.
  public var watchpoints: [RegisterPair] = []

  /// A control register of the processor's and the value register that belongs to it.
  public struct RegisterPair: Equatable, Sendable {
    /// The control register.
    public var control: UInt64
    /// The value register.
    public var value: UInt64

    /// Names a pair.
    public init(control: UInt64, value: UInt64) {
      self.control = control
      self.value = value
    }
  }

  /// Nothing: the guest has its debug registers for itself.
  public init() {}

  /// How many pairs of each kind KVM takes at most.
  public static let pairLimit = Int(CKVM_DEBUG_REGISTERS)
}

extension VirtualCPU {
  /// KVM_SET_GUEST_DEBUG. It holds from the next ``run()`` on, and waits for one that is under way.
  ///
  /// - Throws: what the kernel refuses.
  public func setGuestDebug(_ wanted: GuestDebug) throws(KVMError) {
    precondition(
      wanted.breakpoints.count <= GuestDebug.pairLimit && wanted.watchpoints.count <= GuestDebug.pairLimit,
      "there are sixteen pairs of each kind"
    )
    var request = ckvm_guest_debug()
    if wanted != GuestDebug() { request.control |= UInt32(CKVM_GUESTDBG_ENABLE) }
    if wanted.singleSteps { request.control |= UInt32(CKVM_GUESTDBG_SINGLESTEP) }
    if wanted.takesBreakpointInstructions { request.control |= UInt32(CKVM_GUESTDBG_USE_SW_BP) }
    if !wanted.breakpoints.isEmpty || !wanted.watchpoints.isEmpty { request.control |= UInt32(CKVM_GUESTDBG_USE_HW) }
    for (index, pair) in wanted.breakpoints.enumerated() {
      // SAFETY: the structure holds for the call, and the index was checked above.
      unsafe ckvm_debug_set_breakpoint(&request, Int32(index), pair.control, pair.value)
    }
    for (index, pair) in wanted.watchpoints.enumerated() {
      // SAFETY: as above.
      unsafe ckvm_debug_set_watchpoint(&request, Int32(index), pair.control, pair.value)
    }
    try descriptor.control("KVM_SET_GUEST_DEBUG", CKVM_SET_GUEST_DEBUG, updating: &request)
  }

  /// KVM_GET_ONE_REG for a register of any size.
  ///
  /// - Returns: its bytes, the lowest first.
  /// - Throws: what the kernel refuses.
  public func registerBytes(_ id: RegisterID) throws(KVMError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: id.size)
    // SAFETY: the kernel writes as many bytes as the id's size field says, which the array has.
    let result = unsafe bytes.withUnsafeMutableBytes { buffer in
      var request = kvm_one_reg(id: id.rawValue, addr: UInt64(UInt(bitPattern: buffer.baseAddress)))
      return unsafe ckvm_ioctl_pointer(descriptor.rawValue, CKVM_GET_ONE_REG, &request)
    }
    guard result >= 0 else { throw .call("KVM_GET_ONE_REG", errno: Int32(-result)) }
    return bytes
  }

  /// KVM_SET_ONE_REG for a register of any size.
  ///
  /// - Parameter bytes: as many as the id says, the lowest first.
  /// - Throws: what the kernel refuses.
  public func setRegisterBytes(_ id: RegisterID, _ bytes: [UInt8]) throws(KVMError) {
    precondition(bytes.count == id.size, "a register has as many bytes as its id says")
    // SAFETY: the kernel reads as many bytes as the id's size field says, which the array has.
    let result = unsafe bytes.withUnsafeBytes { buffer in
      var request = kvm_one_reg(id: id.rawValue, addr: UInt64(UInt(bitPattern: buffer.baseAddress)))
      return unsafe ckvm_ioctl_pointer(descriptor.rawValue, CKVM_SET_ONE_REG, &request)
    }
    guard result >= 0 else { throw .call("KVM_SET_ONE_REG", errno: Int32(-result)) }
  }
}
