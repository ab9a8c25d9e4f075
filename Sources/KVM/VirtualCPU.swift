internal import CHost
internal import CKVM
import Glibc
import Host

/// One virtual CPU of KVM.
///
/// Documentation/virt/kvm/api.rst, "vcpu ioctls". It belongs to one thread at a time; ``kick`` alone may be used from
/// others. Calls that the kernel refuses throw a ``KVMError`` with its number.
@safe
public struct VirtualCPU: ~Copyable, @unchecked Sendable {
  // SAFETY: @unchecked: the run area is owned by this value, and whoever holds the value is alone with it; what other
  // threads may touch is one flag that the kernel reads atomically.

  /// The number it was created with.
  public let index: Int

  let descriptor: OwnedDescriptor
  private let runArea: UnsafeMutablePointer<kvm_run>
  private let runAreaSize: Int

  init(descriptor: consuming OwnedDescriptor, index: Int, runAreaSize: Int) throws(KVMError) {
    // SAFETY: a new mapping of the vCPU's own descriptor, of the size that KVM told.
    guard let area = unsafe chost_map_shared(descriptor.rawValue, runAreaSize) else {
      throw .call("mmap of the vCPU's run area", errno: chost_errno())
    }
    unsafe runArea = area.bindMemory(to: kvm_run.self, capacity: 1)
    self.descriptor = descriptor
    self.index = index
    self.runAreaSize = runAreaSize
  }

  deinit {
    // SAFETY: the mapping is ours and of this size, and no kick outlives the value (see Kick).
    unsafe chost_unmap(runArea, runAreaSize)
  }

  /// KVM_ARM_VCPU_INIT with the host's preferred target. Also brings a vCPU that ran back to its state after reset.
  public func initialize(features: VirtualCPUFeatures, machine: borrowing VirtualMachine) throws(KVMError) {
    var request = ckvm_vcpu_init()
    try machine.descriptor.control("KVM_ARM_PREFERRED_TARGET", CKVM_ARM_PREFERRED_TARGET, updating: &request)
    request.features.0 = features.rawValue
    try descriptor.control("KVM_ARM_VCPU_INIT", CKVM_ARM_VCPU_INIT, reading: request)
  }

  /// KVM_ARM_VCPU_FINALIZE for the scalable vector extension: afterwards its vector lengths are fixed.
  public func finalizeSVE() throws(KVMError) {
    var feature: Int32 = 4
    try descriptor.control("KVM_ARM_VCPU_FINALIZE", CKVM_ARM_VCPU_FINALIZE, updating: &feature)
  }

  /// KVM_GET_MP_STATE: whether the vCPU waits for PSCI's CPU_ON.
  public func isPoweredOff() throws(KVMError) -> Bool {
    var state = kvm_mp_state()
    try descriptor.control("KVM_GET_MP_STATE", CKVM_GET_MP_STATE, updating: &state)
    return state.mp_state == UInt32(KVM_MP_STATE_STOPPED)
  }

  // MARK: Registers

  /// KVM_GET_ONE_REG for a register of 64 bits or fewer.
  public func register(_ id: RegisterID) throws(KVMError) -> UInt64 {
    precondition(id.size <= 8, "a register of more than 64 bits does not fit")
    // SAFETY: the kernel writes as many bytes as the id's size field says, at most eight.
    let result = unsafe ckvm_get_register(descriptor.rawValue, id.rawValue)
    guard result.error == 0 else { try Self.refuse("KVM_GET_ONE_REG", result.error) }
    return result.value
  }

  /// KVM_SET_ONE_REG for a register of 64 bits or fewer.
  public func setRegister(_ id: RegisterID, _ value: UInt64) throws(KVMError) {
    precondition(id.size <= 8, "a register of more than 64 bits does not fit")
    // SAFETY: the kernel reads as many bytes as the id's size field says, at most eight.
    let error = unsafe ckvm_set_register(descriptor.rawValue, id.rawValue, value)
    guard error == 0 else { try Self.refuse("KVM_SET_ONE_REG", error) }
  }

  /// KVM_GET_ONE_REG for two of X0 to X30: `first`, at most 29, and the one behind it.
  ///
  /// Hot path: less around the two system calls than around ``register(_:)`` twice.
  public func generalPair(_ first: Int) throws(KVMError) -> (UInt64, UInt64) {
    precondition(0...29 ~= first, "there are X0 to X30")
    // SAFETY: these registers have eight bytes.
    let pair = unsafe ckvm_get_register_pair(descriptor.rawValue, RegisterID.general(first).rawValue)
    guard pair.error == 0 else { try Self.refuse("KVM_GET_ONE_REG", pair.error) }
    return (pair.first, pair.second)
  }

  /// KVM_SET_ONE_REG for two of X0 to X30: `first`, at most 29, and the one behind it.
  ///
  /// Hot path, as ``generalPair(_:)``.
  public func setGeneralPair(_ first: Int, _ values: (UInt64, UInt64)) throws(KVMError) {
    precondition(0...29 ~= first, "there are X0 to X30")
    // SAFETY: these registers have eight bytes.
    let error = unsafe ckvm_set_register_pair(
      descriptor.rawValue,
      RegisterID.general(first).rawValue,
      values.0,
      values.1
    )
    guard error == 0 else { try Self.refuse("KVM_SET_ONE_REG", error) }
  }

  /// Never inlined: what it takes to throw would have each call save registers for it.
  @inline(never)
  private static func refuse(_ call: StaticString, _ errno: Int32) throws(KVMError) -> Never {
    throw .call(call, errno: errno)
  }

  /// KVM_GET_REG_LIST: every register that KVM lets user space see, or those of them that are wanted.
  public func registerList(
    where isWanted: (RegisterID) -> Bool = { _ in true }
  ) throws(KVMError) -> [RegisterID] {
    var capacity = 1024
    while true {
      var words = [UInt64](repeating: 0, count: capacity + 1)
      words[0] = UInt64(capacity)
      // SAFETY: the structure is a count followed by that many 64-bit ids, which is what the array holds.
      let result = unsafe words.withUnsafeMutableBytes { bytes in
        guard let base = bytes.baseAddress else { return -Int(EINVAL) }
        return unsafe ckvm_ioctl_pointer(descriptor.rawValue, CKVM_GET_REG_LIST, base)
      }
      if result >= 0 {
        var list: [RegisterID] = []
        for index in 0..<Int(words[0]) {
          let id = RegisterID(rawValue: words[1 + index])
          if isWanted(id) { list.append(id) }
        }
        return list
      }
      // E2BIG comes with the number that there are.
      guard -result == Int(E2BIG), words[0] > UInt64(capacity) else {
        throw .call("KVM_GET_REG_LIST", errno: Int32(-result))
      }
      capacity = Int(words[0])
    }
  }

  // MARK: Attributes

  /// KVM_SET_DEVICE_ATTR without data on the vCPU, for its performance monitors.
  public func setAttribute(group: UInt32, attribute: UInt64) throws(KVMError) {
    try descriptor.setDeviceAttribute(group: group, attribute: attribute)
  }

  /// KVM_SET_DEVICE_ATTR with a 32-bit number on the vCPU, for its performance monitors.
  public func setAttribute(group: UInt32, attribute: UInt64, value: UInt32) throws(KVMError) {
    try descriptor.setDeviceAttribute(group: group, attribute: attribute, value: value)
  }

  // MARK: Running

  /// KVM_RUN: runs the guest until something needs this process.
  ///
  /// Hot path: no allocation, one system call.
  @inline(__always)
  public func run() -> VirtualCPUExit {
    // SAFETY: KVM_RUN takes no argument; what the guest may touch was granted with its memory regions.
    let result = unsafe ckvm_ioctl(descriptor.rawValue, CKVM_RUN, 0)
    guard result >= 0 else {
      return result == -Int(EINTR) || result == -Int(EAGAIN) ? .interrupted : .refused(errno: Int32(-result))
    }
    // SAFETY: the kernel has filled the exit's fields and touches them next in the next KVM_RUN, on this thread.
    return unsafe VirtualCPUExit(runArea)
  }

  /// Answers the guest's read after ``VirtualCPUExit/mmioRead(address:width:)``; it takes effect with the next
  /// ``run()``.
  @inline(__always)
  public func answerRead(_ value: UInt64) {
    // SAFETY: the run area is this thread's between two calls of KVM_RUN.
    unsafe ckvm_run_answer(runArea, value)
  }

  /// What other threads use to make ``run()`` return soon.
  public var kick: Kick { unsafe Kick(runArea: runArea) }

  /// A means to interrupt a vCPU from another thread.
  ///
  /// It must not be used after the vCPU is gone: whoever hands it out joins the vCPU's thread last.
  @safe
  public struct Kick: @unchecked Sendable {
    // SAFETY: @unchecked: it touches one byte that is written atomically.
    private let runArea: UnsafeMutablePointer<kvm_run>

    init(runArea: UnsafeMutablePointer<kvm_run>) {
      unsafe self.runArea = runArea
    }

    /// While it is set, ``VirtualCPU/run()`` returns at once with ``VirtualCPUExit/interrupted``. A run that is under
    /// way goes on until a signal reaches its thread: set this first, then send one.
    public func setImmediateExit(_ on: Bool) {
      // SAFETY: an atomic store to a byte of the run area, which lives as long as the vCPU.
      unsafe ckvm_run_set_immediate_exit(runArea, on)
    }
  }
}

/// Features of a vCPU that KVM_ARM_VCPU_INIT turns on.
public struct VirtualCPUFeatures: OptionSet, Sendable {
  /// The bits as KVM takes them.
  public let rawValue: UInt32

  /// Makes a set from KVM's bits.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// The vCPU waits for PSCI's CPU_ON.
  public static let powerOff = VirtualCPUFeatures(rawValue: 1 << 0)
  /// KVM answers PSCI 0.2 and later.
  public static let psci02 = VirtualCPUFeatures(rawValue: 1 << 2)
  /// Performance monitors, version 3.
  public static let pmuV3 = VirtualCPUFeatures(rawValue: 1 << 3)
  /// The scalable vector extension; ``VirtualCPU/finalizeSVE()`` must follow.
  public static let sve = VirtualCPUFeatures(rawValue: 1 << 4)
  /// Pointer authentication of addresses; only together with ``pointerAuthenticationGeneric``.
  public static let pointerAuthenticationAddress = VirtualCPUFeatures(rawValue: 1 << 5)
  /// Pointer authentication of data (PACGA); only together with ``pointerAuthenticationAddress``.
  public static let pointerAuthenticationGeneric = VirtualCPUFeatures(rawValue: 1 << 6)
}
