internal import CKVM
import Host

extension OwnedDescriptor {
  /// Issues an ioctl whose argument is a number.
  ///
  /// - Returns: what the kernel returned, zero or more.
  func control(
    _ name: StaticString,
    _ request: UInt,
    _ argument: UInt = 0
  ) throws(KVMError) -> Int {
    // SAFETY: the requests that come this way take a number and no address.
    let result = unsafe ckvm_ioctl(rawValue, request, argument)
    guard result >= 0 else { throw .call(name, errno: Int32(-result)) }
    return result
  }

  /// Issues an ioctl whose argument is a structure that the kernel may change.
  @discardableResult
  func control<Argument>(
    _ name: StaticString,
    _ request: UInt,
    updating argument: inout Argument
  ) throws(KVMError) -> Int {
    // SAFETY: the pointer holds for the call, and the request's number carries the size of this very structure.
    let result = unsafe withUnsafeMutablePointer(to: &argument) {
      unsafe ckvm_ioctl_pointer(rawValue, request, $0)
    }
    guard result >= 0 else { throw .call(name, errno: Int32(-result)) }
    return result
  }

  /// KVM_SET_DEVICE_ATTR with an integer of the width that the attribute takes.
  func setDeviceAttribute<Value: FixedWidthInteger>(
    group: UInt32,
    attribute: UInt64,
    value: Value
  ) throws(KVMError) {
    var value = value
    // SAFETY: the integer holds for the call, and the caller chose the width that the attribute documents.
    let result = unsafe withUnsafeMutablePointer(to: &value) { pointer in
      var request = kvm_device_attr(flags: 0, group: group, attr: attribute, addr: UInt64(UInt(bitPattern: pointer)))
      return unsafe ckvm_ioctl_pointer(rawValue, CKVM_SET_DEVICE_ATTR, &request)
    }
    guard result >= 0 else { throw .call("KVM_SET_DEVICE_ATTR", errno: Int32(-result)) }
  }

  /// KVM_GET_DEVICE_ATTR of an integer of the width that the attribute has.
  func deviceAttribute<Value: FixedWidthInteger>(group: UInt32, attribute: UInt64) throws(KVMError) -> Value {
    var value: Value = 0
    // SAFETY: the integer holds for the call, and the caller chose the width that the attribute documents.
    let result = unsafe withUnsafeMutablePointer(to: &value) { pointer in
      var request = kvm_device_attr(flags: 0, group: group, attr: attribute, addr: UInt64(UInt(bitPattern: pointer)))
      return unsafe ckvm_ioctl_pointer(rawValue, CKVM_GET_DEVICE_ATTR, &request)
    }
    guard result >= 0 else { throw .call("KVM_GET_DEVICE_ATTR", errno: Int32(-result)) }
    return value
  }

  /// KVM_SET_DEVICE_ATTR without data.
  func setDeviceAttribute(group: UInt32, attribute: UInt64) throws(KVMError) {
    let request = kvm_device_attr(flags: 0, group: group, attr: attribute, addr: 0)
    try control("KVM_SET_DEVICE_ATTR", CKVM_SET_DEVICE_ATTR, reading: request)
  }

  /// Issues an ioctl whose argument is a structure that the kernel only reads.
  @discardableResult
  func control<Argument>(
    _ name: StaticString,
    _ request: UInt,
    reading argument: Argument
  ) throws(KVMError) -> Int {
    var copy = argument
    return try control(name, request, updating: &copy)
  }
}
