/// The registers of a virtio-mmio device of version 2 (virtio 1.3, 4.2.2). All are 32 bits wide.
enum MMIORegister: UInt64 {
  case magicValue = 0x000
  case version = 0x004
  case deviceID = 0x008
  case vendorID = 0x00C
  case deviceFeatures = 0x010
  case deviceFeaturesSel = 0x014
  case driverFeatures = 0x020
  case driverFeaturesSel = 0x024
  case queueSel = 0x030
  case queueSizeMax = 0x034
  case queueSize = 0x038
  case queueReady = 0x044
  case queueNotify = 0x050
  case interruptStatus = 0x060
  case interruptACK = 0x064
  case status = 0x070
  case queueDescLow = 0x080
  case queueDescHigh = 0x084
  case queueDriverLow = 0x090
  case queueDriverHigh = 0x094
  case queueDeviceLow = 0x0A0
  case queueDeviceHigh = 0x0A4
  case shmSel = 0x0AC
  case shmLenLow = 0x0B0
  case shmLenHigh = 0x0B4
  case shmBaseLow = 0x0B8
  case shmBaseHigh = 0x0BC
  case queueReset = 0x0C0
  case configGeneration = 0x0FC

  static let configurationStart: UInt64 = 0x100

  /// "virt".
  static let magic: UInt32 = 0x7472_6976
  /// The version without legacy interface.
  static let modern: UInt32 = 2

  var isReadable: Bool {
    switch self {
    case .magicValue, .version, .deviceID, .vendorID, .deviceFeatures, .queueSizeMax, .queueReady, .interruptStatus,
      .status, .shmLenLow, .shmLenHigh, .shmBaseLow, .shmBaseHigh, .queueReset, .configGeneration:
      true
    case .deviceFeaturesSel, .driverFeatures, .driverFeaturesSel, .queueSel, .queueSize, .queueNotify, .interruptACK,
      .queueDescLow, .queueDescHigh, .queueDriverLow, .queueDriverHigh, .queueDeviceLow, .queueDeviceHigh, .shmSel:
      false
    }
  }

  var isWritable: Bool {
    switch self {
    case .queueReady, .status, .queueReset: true
    default: !isReadable
    }
  }
}
