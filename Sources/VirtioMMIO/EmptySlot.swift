/// A virtio-mmio slot without a device behind it.
///
/// Programs look for devices in all slots that a board has. One without a device says that it is virtio-mmio, of which
/// version, and DeviceID 0 (virtio 1.3, 4.2.2), at which a driver stops without a word. All else reads 0, and what is
/// written is lost.
public enum EmptySlot {
  /// Answers a read.
  ///
  /// - Parameters:
  ///   - offset: in bytes, from the start of the slot.
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
