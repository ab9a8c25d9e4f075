/// A placeholder device (virtio 1.3, 4.2.2): a place of virtio-mmio registers with nothing behind it.
///
/// Programs look for devices in all places that a board has. A placeholder says that it is virtio-mmio, of which
/// version, and DeviceID 0, at which a driver stops without a word. All else reads 0, and what is
/// written is lost.
public enum PlaceholderDevice {
  /// Answers a read.
  ///
  /// - Parameters:
  ///   - offset: in bytes, from the start of the registers.
  ///   - width: in bytes: 1, 2, 4 or 8.
  public static func read(offset: UInt64, width: Int) -> UInt64 {
    guard width == 4 else { return 0 }
    return switch MMIORegister(rawValue: offset) {
    case .magicValue: UInt64(MMIORegister.magic)
    case .version: UInt64(MMIORegister.modern)
    case .vendorID: UInt64(MMIOTransport.vendorID)
    default: 0
    }
  }
}
