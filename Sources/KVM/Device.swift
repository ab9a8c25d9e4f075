import Host

/// A device that KVM emulates itself, such as the interrupt controller.
///
/// Documentation/virt/kvm/devices/. All calls may come from any thread; those that the kernel refuses throw a
/// ``KVMError`` with its number.
public struct Device: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor

  init(descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }

  /// What kind of device to create.
  public enum Kind: UInt32, Sendable {
    /// KVM_DEV_TYPE_ARM_VGIC_V2.
    case vgicV2 = 5
    /// KVM_DEV_TYPE_ARM_VGIC_V3.
    case vgicV3 = 7
  }

  /// KVM_SET_DEVICE_ATTR without data.
  public func setAttribute(group: UInt32, attribute: UInt64) throws(KVMError) {
    try descriptor.setDeviceAttribute(group: group, attribute: attribute)
  }

  /// KVM_SET_DEVICE_ATTR with an integer of the width that the attribute takes.
  public func setAttribute<Value: FixedWidthInteger>(
    group: UInt32,
    attribute: UInt64,
    value: Value
  ) throws(KVMError) {
    try descriptor.setDeviceAttribute(group: group, attribute: attribute, value: value)
  }

  /// KVM_GET_DEVICE_ATTR of an integer of the width that the attribute has.
  public func attribute<Value: FixedWidthInteger>(group: UInt32, attribute: UInt64) throws(KVMError) -> Value {
    try descriptor.deviceAttribute(group: group, attribute: attribute)
  }
}
