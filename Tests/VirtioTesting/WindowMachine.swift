public import GuestMemory
internal import Synchronization
public import VirtioDriver

/// A machine whose memory is one window.
public protocol WindowMachine: DriverMachine {
  /// The window as the driver sees it, kept by the machine.
  var space: DMASpace { get }
}

extension WindowMachine {
  public var windowStart: UInt64 { space.window.start.rawValue }
  public var windowSize: UInt64 { space.window.size }

  public func bytes(at address: UInt64, count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: the machine keeps the space; the buffer is used within the call only.
    let done = unsafe bytes.withUnsafeMutableBytes { unsafe space.view.read(at: address, into: $0) }
    precondition(done, "a test reads its own window")
    return bytes
  }

  public func store(_ bytes: [UInt8], at address: UInt64) {
    // SAFETY: as above.
    let done = unsafe bytes.withUnsafeBytes { unsafe space.view.write($0, at: address) }
    precondition(done, "a test writes its own window")
  }

  private func load<Value: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, as type: Value.Type) -> Value {
    // SAFETY: the machine keeps the space; the value's bytes are in the window.
    guard let place = unsafe space.view.pointer(to: address, count: UInt64(MemoryLayout<Value>.size), for: .readWrite)
    else {
      preconditionFailure("a test reads its own window")
    }
    return unsafe Value(littleEndian: place.loadUnaligned(as: Value.self))
  }

  private func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at address: UInt64) {
    // SAFETY: as above.
    guard let place = unsafe space.view.pointer(to: address, count: UInt64(MemoryLayout<Value>.size), for: .readWrite)
    else {
      preconditionFailure("a test writes its own window")
    }
    unsafe place.storeBytes(of: value.littleEndian, as: Value.self)
  }

  public func load8(_ address: UInt64) -> UInt8 { load(address, as: UInt8.self) }
  public func load16(_ address: UInt64) -> UInt16 { load(address, as: UInt16.self) }
  public func load32(_ address: UInt64) -> UInt32 { load(address, as: UInt32.self) }
  public func store8(_ value: UInt8, at address: UInt64) { store(value, at: address) }
  public func store16(_ value: UInt16, at address: UInt64) { store(value, at: address) }
  public func store32(_ value: UInt32, at address: UInt64) { store(value, at: address) }
  public func store64(_ value: UInt64, at address: UInt64) { store(value, at: address) }
  public func barrier() { atomicMemoryFence(ordering: .sequentiallyConsistent) }
}
