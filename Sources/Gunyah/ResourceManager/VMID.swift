/// The number of a machine, by which the resource manager and its clients know it.
public struct VMID: RawRepresentable, Hashable, Comparable, Sendable {
  /// The number.
  public var rawValue: UInt16

  /// The machine with this number.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The machine with this number.
  public init(_ number: UInt16) { rawValue = number }

  /// The primary machine, which alone may make others.
  public static let primary = VMID(3)
  /// The resource manager itself: the owner of machines that no other one made.
  public static let resourceManager = VMID(0xFF)
  /// The numbers of machines that were there at the start beside the primary one.
  public static let named: ClosedRange<UInt16> = 4...31
  /// The numbers that the manager chooses from for those that the primary machine makes.
  public static let dynamic: ClosedRange<UInt16> = 0x80...0xBE

  /// By number.
  public static func < (left: VMID, right: VMID) -> Bool { left.rawValue < right.rawValue }
}

/// Where a machine is in its life (`vm_state_t`).
public enum MachineState: UInt8, Sendable, CaseIterable {
  /// Its image is known.
  case initial = 1
  /// Its objects are there; it can be started.
  case ready = 2
  /// It runs.
  case running = 3
  /// It is there, and nothing is known of it.
  case load = 5
  /// Its image is to be authenticated.
  case authentication = 6
  /// Something of it was wrong.
  case initializationFailed = 8
  /// It has ended.
  case exited = 9
  /// What it had is being taken away.
  case resetting = 10
  /// It has nothing any longer; it can be configured again.
  case reset = 11
}

/// Why a machine has ended, as its host sees it. What the machine asks its manager for is not here.
public enum MachineExit: Equatable, Sendable {
  /// PSCI SYSTEM_OFF.
  case off
  /// PSCI SYSTEM_RESET.
  case reset
  /// PSCI SYSTEM_RESET2, with the guest's type and cookie.
  case reset2(kind: UInt32, cookie: UInt64, is64Bit: Bool)
  /// Its watchdog was not fed.
  case watchdog
  /// It did something that it cannot go on from, or its host could not let it run.
  case fault
}
