import Apus
import ArgumentParser

extension Configuration.Device {
  /// Reads `DIRECTORY,tag=NAME[,readonly][,onefs][,direct|bounce][,window=NAME]`. A comma in the path is written twice.
  ///
  /// - Throws: what is wrong with the text, and what would be right.
  static func share(_ text: String) throws(DeviceTextError) -> Configuration.Device {
    var fields = DeviceFields(text)
    guard !fields.value.isEmpty, let tag = try fields.take("tag") else {
      throw DeviceTextError("the folder comes first, and a name by which the guest mounts it: DIRECTORY,tag=NAME[,…]")
    }
    var share = Share(path: fields.value, tag: tag)
    share.isReadOnly = try fields.takeFlag("readonly")
    share.isOneFileSystem = try fields.takeFlag("onefs")
    share.access = try fields.takeAccess()
    var device = Configuration.Device(.share(share))
    try fields.finish(&device, isElsewhere: true, known: "tag=NAME, readonly, onefs, direct, bounce, window=NAME")
    return device
  }
}

enum ShareOption {
  static let help = ArgumentHelp(
    "A folder that the guest mounts, by virtiofsd. May be given several times.",
    discussion:
      "DIRECTORY,tag=NAME[,readonly][,onefs][,direct|bounce][,window=NAME]; in the guest: mount -t virtiofs NAME /mnt",
    valueName: "share"
  )
  static let read: Setting.Reader = { try Setting.device($0, Configuration.Device.share) }

  /// The option, with the setting that is meant.
  static func name(_ property: Configuration.Device.Share.Property, of device: Configuration.Device?) -> String {
    guard case .share(let share)? = device?.kind else { return "--share" }
    return switch property {
    case .path: "--share"
    case .tag: "--share tag=\(share.tag)"
    case .isReadOnly: "--share readonly"
    case .isOneFileSystem: "--share onefs"
    case .access: "--share \(share.access == .direct ? "direct" : "bounce")"
    }
  }
}
