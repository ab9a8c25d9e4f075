internal import CKVM
import Host

/// One virtual machine of KVM.
///
/// Documentation/virt/kvm/api.rst, "vm ioctls". All calls may come from any thread; those that the kernel refuses throw
/// a ``KVMError`` with its number.
public struct VirtualMachine: ~Copyable, Sendable {
  let descriptor: OwnedDescriptor
  private let runAreaSize: Int

  init(descriptor: consuming OwnedDescriptor, runAreaSize: Int) {
    self.descriptor = descriptor
    self.runAreaSize = runAreaSize
  }

  /// KVM_CHECK_EXTENSION for this machine.
  public func checkExtension(_ capability: Capability) -> Int {
    (try? descriptor.control("KVM_CHECK_EXTENSION", CKVM_CHECK_EXTENSION, UInt(capability.rawValue))) ?? 0
  }

  /// KVM_ENABLE_CAP.
  public func enable(_ capability: Capability) throws(KVMError) {
    var argument = kvm_enable_cap()
    argument.cap = capability.rawValue
    try descriptor.control("KVM_ENABLE_CAP", CKVM_ENABLE_CAP, reading: argument)
  }

  /// KVM_SET_USER_MEMORY_REGION: lets the guest see memory of this process.
  ///
  /// - Parameters:
  ///   - slot: a number of the caller's, 0 to the kernel's maximum.
  ///   - guestAddress: a multiple of the host's page size.
  ///   - size: in bytes, a multiple of the host's page size; 0 takes the slot away.
  ///   - hostAddress: of the first byte. The memory must stay mapped for as long as the machine lives.
  ///   - isReadOnly: whether a guest's write exits as one to where there is no memory.
  ///   - logsWrites: whether ``takeDirtyLog(slot:pages:)`` is to tell which pages vCPUs have written.
  @unsafe
  public func setUserMemoryRegion(
    slot: UInt32,
    guestAddress: UInt64,
    size: UInt64,
    hostAddress: UnsafeMutableRawPointer,
    isReadOnly: Bool = false,
    logsWrites: Bool = false
  ) throws(KVMError) {
    let region = kvm_userspace_memory_region(
      slot: slot,
      // KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY
      flags: (logsWrites ? 1 << 0 : 0) | (isReadOnly ? 1 << 1 : 0),
      guest_phys_addr: guestAddress,
      memory_size: size,
      userspace_addr: UInt64(UInt(bitPattern: hostAddress))
    )
    try descriptor.control("KVM_SET_USER_MEMORY_REGION", CKVM_SET_USER_MEMORY_REGION, reading: region)
  }

  /// KVM_GET_DIRTY_LOG: which pages of a slot that logs writes vCPUs have written since the last call, or since it has
  /// begun to. What this process itself writes is not in it.
  ///
  /// - Parameters:
  ///   - slot: the slot's number.
  ///   - pages: how many pages of the host's the slot has.
  /// - Returns: a bit for each, the first page's the lowest of the first word.
  public func takeDirtyLog(slot: UInt32, pages: Int) throws(KVMError) -> [UInt64] {
    var bitmap = [UInt64](repeating: 0, count: (pages + 63) / 64)
    // SAFETY: the kernel writes as many words as the slot's pages need, which the caller vouches for.
    let result = unsafe bitmap.withUnsafeMutableBufferPointer { words in
      guard let base = words.baseAddress else { return 0 }
      return unsafe ckvm_dirty_log(descriptor.rawValue, slot, base)
    }
    guard result >= 0 else { throw .call("KVM_GET_DIRTY_LOG", errno: Int32(-result)) }
    return bitmap
  }

  /// What becomes of calls by HVC and SMC (`enum kvm_smccc_filter_action`).
  public enum CallAction: UInt8, Sendable {
    /// KVM answers as it always does.
    case handle = 0
    /// The guest gets "not supported", -1.
    case deny = 1
    /// KVM_RUN comes back with ``VirtualCPUExit/hypercall(number:isSMC:)``.
    case forward = 2
  }

  /// KVM_ARM_VM_SMCCC_FILTER: says once for the machine's life what becomes of some calls. Before the first run.
  ///
  /// - Parameters:
  ///   - numbers: of the calls as w0 has them, not empty, none of them in another filter.
  ///   - action: what is done with them, whatever the firmware's pseudo-registers say.
  /// - Throws: ``KVMError`` with ENXIO where the kernel has no filters (before Linux 6.4).
  public func filterCalls(_ numbers: Range<UInt32>, action: CallAction) throws(KVMError) {
    let filter = ckvm_smccc_filter(
      base: numbers.lowerBound,
      nr_functions: UInt32(numbers.count),
      action: action.rawValue,
      pad: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    )
    // SAFETY: the structure holds for the call, in which the kernel reads it.
    let result = unsafe withUnsafePointer(to: filter) { pointer in
      var request = kvm_device_attr(
        flags: 0,
        group: UInt32(CKVM_SMCCC_CTRL),
        attr: UInt64(CKVM_SMCCC_FILTER),
        addr: UInt64(UInt(bitPattern: pointer))
      )
      return unsafe ckvm_ioctl_pointer(descriptor.rawValue, CKVM_SET_DEVICE_ATTR, &request)
    }
    guard result >= 0 else { throw .call("KVM_SET_DEVICE_ATTR", errno: Int32(-result)) }
  }

  /// KVM_ARM_GET_REG_WRITABLE_MASKS: which bits of the ID registers of a vCPU that has not run may be written.
  ///
  /// - Returns: a mask for each register of op0 3, op1 0, 1 or 3, CRn 0 and CRm 0 to 7 whose mask is not 0; none where
  ///   the kernel does not tell (``Capability/armWritableMasks``).
  public func writableMasks() throws(KVMError) -> [RegisterID: UInt64] {
    guard checkExtension(.armWritableMasks) > 0 else { return [:] }
    var masks = [UInt64](repeating: 0, count: Int(CKVM_ID_REGISTER_COUNT))
    // SAFETY: the kernel writes as many masks as there are registers in the range.
    let result = unsafe masks.withUnsafeMutableBufferPointer { words in
      var request = ckvm_reg_mask_range()
      request.addr = UInt64(UInt(bitPattern: words.baseAddress))
      return unsafe ckvm_ioctl_pointer(descriptor.rawValue, CKVM_ARM_GET_REG_WRITABLE_MASKS, &request)
    }
    guard result >= 0 else { throw .call("KVM_ARM_GET_REG_WRITABLE_MASKS", errno: Int32(-result)) }
    var found: [RegisterID: UInt64] = [:]
    found.reserveCapacity(masks.reduce(0) { $0 + ($1 == 0 ? 0 : 1) })
    for (index, mask) in masks.enumerated() where mask != 0 {
      // KVM_ARM_FEATURE_ID_RANGE_INDEX: op1 3 follows 0 and 1.
      let op1: UInt64 = [0, 1, 3][index >> 6]
      found[.system(3, op1, 0, UInt64(index >> 3 & 7), UInt64(index & 7))] = mask
    }
    return found
  }

  /// KVM_CREATE_VCPU.
  ///
  /// - Parameter index: 0 to the machine's maximum less one.
  public func createVirtualCPU(index: Int) throws(KVMError) -> VirtualCPU {
    let number = try descriptor.control("KVM_CREATE_VCPU", CKVM_CREATE_VCPU, UInt(index))
    return try VirtualCPU(
      descriptor: OwnedDescriptor(owning: Int32(number)),
      index: index,
      runAreaSize: runAreaSize
    )
  }

  /// KVM_CREATE_DEVICE.
  public func createDevice(_ kind: Device.Kind) throws(KVMError) -> Device {
    var argument = kvm_create_device(type: kind.rawValue, fd: 0, flags: 0)
    try descriptor.control("KVM_CREATE_DEVICE", CKVM_CREATE_DEVICE, updating: &argument)
    return Device(descriptor: OwnedDescriptor(owning: Int32(argument.fd)))
  }

  /// Whether ``createDevice(_:)`` would find the device on this host (KVM_CREATE_DEVICE_TEST).
  public func supports(_ kind: Device.Kind) -> Bool {
    let argument = kvm_create_device(type: kind.rawValue, fd: 0, flags: 1)
    return (try? descriptor.control("KVM_CREATE_DEVICE", CKVM_CREATE_DEVICE, reading: argument)) != nil
  }

  /// KVM_IOEVENTFD: a guest's write of `value` to four bytes signals an eventfd, without an exit to user space.
  ///
  /// - Parameters:
  ///   - eventDescriptor: an eventfd, which may be closed afterwards.
  ///   - address: guest-physical, a multiple of 4, where there is no memory.
  ///   - value: the only one that signals; others exit as usual.
  public func addIOEventDescriptor(
    _ eventDescriptor: Int32,
    address: UInt64,
    value: UInt32
  ) throws(KVMError) {
    var argument = kvm_ioeventfd()
    argument.addr = address
    argument.len = 4
    argument.fd = eventDescriptor
    argument.datamatch = UInt64(value)
    // KVM_IOEVENTFD_FLAG_DATAMATCH
    argument.flags = 1
    try descriptor.control("KVM_IOEVENTFD", CKVM_IOEVENTFD, reading: argument)
  }

  /// KVM_IRQFD: each signal of an eventfd is an edge of a shared peripheral interrupt.
  ///
  /// - Parameters:
  ///   - eventDescriptor: an eventfd. KVM watches it until it is closed.
  ///   - sharedPeripheralInterrupt: counted from 0, so SPI n is interrupt 32 + n.
  public func addInterruptDescriptor(
    _ eventDescriptor: Int32,
    sharedPeripheralInterrupt: UInt32
  ) throws(KVMError) {
    var argument = kvm_irqfd()
    argument.fd = UInt32(bitPattern: eventDescriptor)
    argument.gsi = sharedPeripheralInterrupt
    try descriptor.control("KVM_IRQFD", CKVM_IRQFD, reading: argument)
  }

  /// KVM_IRQ_LINE for a shared peripheral interrupt.
  ///
  /// - Parameters:
  ///   - sharedPeripheralInterrupt: counted from 0, so SPI n is interrupt 32 + n.
  ///   - level: whether the line is asserted.
  public func setInterruptLine(sharedPeripheralInterrupt: UInt32, level: Bool) throws(KVMError) {
    // KVM_ARM_IRQ_TYPE_SPI is 1, in bits 27 to 24; the low 16 bits are the interrupt's number from 32.
    let error = ckvm_set_line(descriptor.rawValue, 1 << 24 | (sharedPeripheralInterrupt + 32), level)
    guard error == 0 else { try Self.refuse("KVM_IRQ_LINE", error) }
  }

  /// Never inlined: what it takes to throw would have each call save registers for it.
  @inline(never)
  private static func refuse(_ call: StaticString, _ errno: Int32) throws(KVMError) -> Never {
    throw .call(call, errno: errno)
  }
}
