/// Why the resource manager did nothing: the first word of a reply, where 0 is success.
///
/// Gunyah's resource manager, `rm_error_t`.
public enum RMError: UInt32, Error, Equatable, Sendable, CaseIterable {
  /// There is no memory for it.
  case noMemory = 0x1
  /// There is none left of what is asked for.
  case noResource = 0x2
  /// The caller may not.
  case denied = 0x3
  /// The message is not as long as its contents say, or is no message of this kind.
  case messageInvalid = 0x4
  /// It is being done already.
  case busy = 0x5
  /// An argument that can have no meaning here.
  case argumentInvalid = 0x6
  /// There is no memory parcel with this handle.
  case handleInvalid = 0x7
  /// What the caller wanted to be sure of is not so.
  case validateFailed = 0x8
  /// The memory could not be mapped.
  case mapFailed = 0x9
  /// The memory is not the caller's to give away.
  case memoryInvalid = 0xA
  /// Somebody has accepted the memory.
  case memoryInUse = 0xB
  /// Nobody has accepted the memory.
  case memoryReleased = 0xC
  /// There is no machine with this VMID, or none that the caller has anything to do with.
  case vmidInvalid = 0xD
  /// Nothing was found.
  case lookupFailed = 0xE
  /// The interrupt is not one that can be given away.
  case interruptInvalid = 0xF
  /// Somebody has accepted the interrupt.
  case interruptInUse = 0x10
  /// Nobody has accepted the interrupt.
  case interruptReleased = 0x11
  /// What is asked for is in use.
  case inUse = 0x12
  /// The interrupt is not mapped.
  case notMapped = 0x13
  /// The machine is in a state that does not allow it.
  case machineState = 0x14
  /// The message is not known.
  case unimplemented = 0xFFFF_FFFF
}
