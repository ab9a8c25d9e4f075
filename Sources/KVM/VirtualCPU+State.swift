internal import CKVM
import Glibc
import Host

/// Whether a vCPU runs (KVM_GET_MP_STATE).
public struct MultiprocessorState: RawRepresentable, Hashable, Sendable {
  /// KVM's number.
  public let rawValue: UInt32

  /// Any of KVM's.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// KVM_MP_STATE_RUNNABLE.
  public static let runnable = MultiprocessorState(rawValue: 0)
  /// KVM_MP_STATE_STOPPED: it waits for PSCI's CPU_ON.
  public static let stopped = MultiprocessorState(rawValue: 5)
  /// KVM_MP_STATE_SUSPENDED: PSCI's CPU_SUSPEND, where that comes to user space.
  public static let suspended = MultiprocessorState(rawValue: 10)
}

/// What is pending at a vCPU beside its interrupts (KVM_GET_VCPU_EVENTS).
public struct VirtualCPUEvents: Hashable, Sendable {
  /// An SError is pending, with this syndrome (bits 24 to 0 of ESR_EL1) where the processor has RAS.
  public var serror: SError?
  /// A synchronous external abort is pending.
  public var isExternalAbortPending = false

  /// A pending SError.
  public struct SError: Hashable, Sendable {
    /// Its syndrome, nil where the guest's processor has none.
    public var syndrome: UInt64?

    /// Names one.
    public init(syndrome: UInt64?) {
      self.syndrome = syndrome
    }
  }

  /// Nothing is pending.
  public init() {}
}

// What a vCPU that does not run has of state beside single registers.
extension VirtualCPU {
  /// KVM_GET_MP_STATE.
  public func multiprocessorState() throws(KVMError) -> MultiprocessorState {
    var state = kvm_mp_state()
    try descriptor.control("KVM_GET_MP_STATE", CKVM_GET_MP_STATE, updating: &state)
    return MultiprocessorState(rawValue: state.mp_state)
  }

  /// KVM_SET_MP_STATE.
  public func setMultiprocessorState(_ state: MultiprocessorState) throws(KVMError) {
    try descriptor.control(
      "KVM_SET_MP_STATE",
      CKVM_SET_MP_STATE,
      reading: kvm_mp_state(mp_state: state.rawValue)
    )
  }

  /// KVM_GET_VCPU_EVENTS.
  public func events() throws(KVMError) -> VirtualCPUEvents {
    var raw = ckvm_vcpu_events()
    try descriptor.control("KVM_GET_VCPU_EVENTS", CKVM_GET_VCPU_EVENTS, updating: &raw)
    var events = VirtualCPUEvents()
    if raw.serror_pending != 0 {
      events.serror = VirtualCPUEvents.SError(syndrome: raw.serror_has_esr != 0 ? raw.serror_esr : nil)
    }
    events.isExternalAbortPending = raw.ext_dabt_pending != 0
    return events
  }

  /// KVM_SET_VCPU_EVENTS. After the registers: an abort changes them.
  public func setEvents(_ events: VirtualCPUEvents) throws(KVMError) {
    var raw = ckvm_vcpu_events()
    if let serror = events.serror {
      raw.serror_pending = 1
      raw.serror_has_esr = serror.syndrome == nil ? 0 : 1
      raw.serror_esr = serror.syndrome ?? 0
    }
    raw.ext_dabt_pending = events.isExternalAbortPending ? 1 : 0
    try descriptor.control("KVM_SET_VCPU_EVENTS", CKVM_SET_VCPU_EVENTS, reading: raw)
  }

  /// Has the guest take a synchronous external abort instead of what it left KVM_RUN for: an access to where there is
  /// no memory. Before the next ``run()``.
  ///
  /// KVM_SET_VCPU_EVENTS with `ext_dabt_pending`.
  public func injectExternalAbort() throws(KVMError) {
    var raw = ckvm_vcpu_events()
    try descriptor.control("KVM_GET_VCPU_EVENTS", CKVM_GET_VCPU_EVENTS, updating: &raw)
    raw.ext_dabt_pending = 1
    try descriptor.control("KVM_SET_VCPU_EVENTS", CKVM_SET_VCPU_EVENTS, reading: raw)
  }

  /// KVM_GET_ONE_REG for a register of any size.
  ///
  /// - Parameter bytes: gets the register's, as many as its id says, at the end.
  public func appendRegister(_ id: RegisterID, to bytes: inout [UInt8]) throws(KVMError) {
    let start = bytes.count
    for _ in 0..<id.size { bytes.append(0) }
    try readRegister(id, into: &bytes, at: start)
  }

  /// - Parameter start: from where as many bytes are there as the register's id says.
  private func readRegister(_ id: RegisterID, into bytes: inout [UInt8], at start: Int) throws(KVMError) {
    precondition(start >= 0 && bytes.count - start >= id.size, "a register has room")
    // SAFETY: the kernel writes as many bytes as the id's size field says, which are there.
    let result = unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return -Int(EINVAL) }
      var request = unsafe kvm_one_reg(id: id.rawValue, addr: UInt64(UInt(bitPattern: base + start)))
      return unsafe ckvm_ioctl_pointer(descriptor.rawValue, CKVM_GET_ONE_REG, &request)
    }
    guard result >= 0 else { throw .call("KVM_GET_ONE_REG", errno: Int32(-result)) }
  }

  /// KVM_SET_ONE_REG for a register of any size.
  ///
  /// - Parameter bytes: as many as the register's id says.
  public func setRegister(_ id: RegisterID, bytes: Span<UInt8>) throws(KVMError) {
    precondition(bytes.count == id.size, "a register is set whole")
    // SAFETY: the kernel reads as many bytes as the id's size field says, which are there, and changes none.
    let result = unsafe bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return -Int(EINVAL) }
      var request = kvm_one_reg(id: id.rawValue, addr: UInt64(UInt(bitPattern: base)))
      return unsafe ckvm_ioctl_pointer(descriptor.rawValue, CKVM_SET_ONE_REG, &request)
    }
    guard result >= 0 else { throw .call("KVM_SET_ONE_REG", errno: Int32(-result)) }
  }

  /// KVM_ARM_GET_REG_LIST and KVM_GET_ONE_REG: all that KVM lets user space see of the vCPU, in the list's order: each
  /// register's id in eight bytes, and its own bytes.
  public func savedRegisters() throws(KVMError) -> [UInt8] {
    let list = try registerList()
    var bytes = [UInt8](repeating: 0, count: list.reduce(0) { $0 + 8 + $1.size })
    var place = 0
    for id in list {
      for byte in 0..<8 { bytes[place + byte] = UInt8(truncatingIfNeeded: id.rawValue >> UInt64(8 * byte)) }
      try readRegister(id, into: &bytes, at: place + 8)
      place += 8 + id.size
    }
    return bytes
  }
}
