/// A device that is nothing but registers in a page of guest-physical addresses.
///
/// A conformer is a plain value: no closure, no reference, no operating system. Reading and writing neither allocate
/// nor count references, so both may be called from a vCPU's exit under a small lock. A conformer never traps on what a
/// guest does: a wrong access is counted in ``events`` and has a defined result (reads give 0, writes change nothing).
public protocol RegisterBlock: Sendable {
  /// The bytes of guest-physical address space that the block takes; a multiple of 4096.
  static var size: UInt64 { get }

  /// Answers a read of the guest.
  ///
  /// - Parameters:
  ///   - offset: from the start of the block, in bytes.
  ///   - width: of the access, in bytes: 1, 2, 4 or 8.
  /// - Returns: the value, of which at most `width` bytes are not zero.
  mutating func read(at offset: UInt64, width: Int) -> UInt64

  /// Takes a write of the guest.
  ///
  /// - Parameters:
  ///   - value: what the guest wrote, zero-extended from `width` bytes.
  ///   - offset: from the start of the block, in bytes.
  ///   - width: of the access, in bytes: 1, 2, 4 or 8.
  mutating func write(_ value: UInt64, at offset: UInt64, width: Int)

  /// What the guest did wrong so far.
  var events: RegisterEvents { get }
}

/// The part of `value` that an access of `width` bytes carries.
@inline(__always)
func truncated(_ value: UInt32, to width: Int) -> UInt64 {
  switch width {
  case 1: UInt64(value & 0xFF)
  case 2: UInt64(value & 0xFFFF)
  default: UInt64(value)
  }
}
