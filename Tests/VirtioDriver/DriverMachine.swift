/// What a driver stands on: memory that it shares with the device, and the device's registers.
///
/// A unit test's machine is a window and a transport; a bare-metal guest's is memory and memory. Nothing in this module
/// needs more than Embedded Swift has.
public protocol DriverMachine {
  func load8(_ address: UInt64) -> UInt8
  func load16(_ address: UInt64) -> UInt16
  func load32(_ address: UInt64) -> UInt32
  func store8(_ value: UInt8, at address: UInt64)
  func store16(_ value: UInt16, at address: UInt64)
  func store32(_ value: UInt32, at address: UInt64)
  func store64(_ value: UInt64, at address: UInt64)
  /// Orders what was stored before what comes after.
  func barrier()

  /// - Parameter width: in bytes: 1, 2, 4 or 8.
  func readRegister(_ offset: UInt64, width: Int) -> UInt64
  func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64)

  /// Where the device may reach, in bytes.
  var windowStart: UInt64 { get }
  var windowSize: UInt64 { get }
}

/// Offsets of virtio-mmio registers (virtio 1.3, 4.2.2), as a driver names them.
public enum Register {
  public static let magicValue: UInt64 = 0x000
  public static let version: UInt64 = 0x004
  public static let deviceID: UInt64 = 0x008
  public static let vendorID: UInt64 = 0x00C
  public static let deviceFeatures: UInt64 = 0x010
  public static let deviceFeaturesSel: UInt64 = 0x014
  public static let driverFeatures: UInt64 = 0x020
  public static let driverFeaturesSel: UInt64 = 0x024
  public static let queueSel: UInt64 = 0x030
  public static let queueSizeMax: UInt64 = 0x034
  public static let queueSize: UInt64 = 0x038
  public static let queueReady: UInt64 = 0x044
  public static let queueNotify: UInt64 = 0x050
  public static let interruptStatus: UInt64 = 0x060
  public static let interruptACK: UInt64 = 0x064
  public static let status: UInt64 = 0x070
  public static let queueDescLow: UInt64 = 0x080
  public static let queueDescHigh: UInt64 = 0x084
  public static let queueDriverLow: UInt64 = 0x090
  public static let queueDriverHigh: UInt64 = 0x094
  public static let queueDeviceLow: UInt64 = 0x0A0
  public static let queueDeviceHigh: UInt64 = 0x0A4
  public static let shmSel: UInt64 = 0x0AC
  public static let shmLenLow: UInt64 = 0x0B0
  public static let shmLenHigh: UInt64 = 0x0B4
  public static let shmBaseLow: UInt64 = 0x0B8
  public static let shmBaseHigh: UInt64 = 0x0BC
  public static let queueReset: UInt64 = 0x0C0
  public static let configGeneration: UInt64 = 0x0FC
  public static let configuration: UInt64 = 0x100
}

/// Bits of the device status field (virtio 1.3, 2.1).
public enum Status {
  public static let acknowledge: UInt32 = 1
  public static let driver: UInt32 = 2
  public static let driverOK: UInt32 = 4
  public static let featuresOK: UInt32 = 8
  public static let deviceNeedsReset: UInt32 = 64
  public static let failed: UInt32 = 128
}

/// Feature bits that every driver knows (virtio 1.3, 6).
public enum Feature {
  public static let indirectDescriptors: UInt64 = 1 << 28
  public static let eventIndex: UInt64 = 1 << 29
  public static let version1: UInt64 = 1 << 32
  public static let accessPlatform: UInt64 = 1 << 33
  public static let ringReset: UInt64 = 1 << 40
}
