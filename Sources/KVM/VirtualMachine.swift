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
  @unsafe
  public func setUserMemoryRegion(
    slot: UInt32,
    guestAddress: UInt64,
    size: UInt64,
    hostAddress: UnsafeMutableRawPointer,
    isReadOnly: Bool = false
  ) throws(KVMError) {
    let region = kvm_userspace_memory_region(
      slot: slot,
      // KVM_MEM_READONLY
      flags: isReadOnly ? 1 << 1 : 0,
      guest_phys_addr: guestAddress,
      memory_size: size,
      userspace_addr: UInt64(UInt(bitPattern: hostAddress))
    )
    try descriptor.control("KVM_SET_USER_MEMORY_REGION", CKVM_SET_USER_MEMORY_REGION, reading: region)
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
    var line = kvm_irq_level()
    // KVM_ARM_IRQ_TYPE_SPI is 1, in bits 27 to 24; the low 16 bits are the interrupt's number from 32.
    line.irq = 1 << 24 | (sharedPeripheralInterrupt + 32)
    line.level = level ? 1 : 0
    try descriptor.control("KVM_IRQ_LINE", CKVM_IRQ_LINE, reading: line)
  }
}
