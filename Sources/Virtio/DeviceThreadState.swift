/// The part of an object that the device thread alone touches, on the path of every request.
///
/// A class's plain variables are checked for overlapping accesses at run time, which costs more than most requests do.
/// This is the same storage without the check. In exchange its user sees to it that no access to a variable is in
/// progress while another begins: nothing passes one on by `inout` to code that can come back to the object.
@safe
public struct DeviceThreadState<Value: ~Copyable>: ~Copyable {
  // SAFETY: allocated and initialized in init, released in deinit.
  @usableFromInline let pointer: UnsafeMutablePointer<Value>

  /// Allocates the storage, once.
  @inlinable
  public init(_ value: consuming Value) {
    // SAFETY: see above.
    unsafe pointer = .allocate(capacity: 1)
    unsafe pointer.initialize(to: value)
  }

  @inlinable
  deinit {
    // SAFETY: see above.
    unsafe pointer.deinitialize(count: 1)
    unsafe pointer.deallocate()
  }

  /// The variables themselves. For the device thread.
  @inlinable
  public var value: Value {
    // SAFETY: initialized as long as the owner lives.
    _read { yield unsafe pointer.pointee }
    nonmutating _modify { yield unsafe &pointer.pointee }
  }
}
