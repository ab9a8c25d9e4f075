import Apus
import ArgumentParser
import Host

extension Configuration.Device {
  /// Reads `PATH[,readonly][,serial=TEXT][,queues=N][,window=NAME]`. A comma in the path is written twice.
  ///
  /// - Throws: what is wrong with the text, and what would be right.
  static func block(_ text: String) throws(DeviceTextError) -> Configuration.Device {
    var fields = DeviceFields(text)
    var block = Block(path: fields.value)
    guard !block.path.isEmpty else { throw DeviceTextError("the path of the image comes first: PATH[,readonly][,…]") }
    block.isReadOnly = try fields.takeFlag("readonly")
    block.serial = try fields.take("serial") ?? ""
    if let queues = try fields.take("queues") {
      guard let number = Int(plain: queues) else {
        throw DeviceTextError("queues=\(queues): give a number from 1 to 16")
      }
      block.queueCount = number
    }
    var device = Configuration.Device(.block(block))
    try fields.finish(&device, known: "readonly, serial=TEXT, queues=N, window=NAME")
    return device
  }
}

enum BlockOption {
  static let names: NameSpecification = [.customLong("block"), .customLong("disk")]
  static let help = ArgumentHelp(
    "A disk: a raw image or a block device. May be given several times.",
    discussion: "PATH[,readonly][,serial=TEXT][,queues=N][,window=NAME]",
    valueName: "disk"
  )
  static let read: Setting.Reader = { try Setting.device($0, Configuration.Device.block) }

  /// The option, with the setting that is meant.
  static func name(_ property: Configuration.Device.Block.Property, of device: Configuration.Device?) -> String {
    guard case .block(let block)? = device?.kind else { return "--block" }
    return switch property {
    case .path: "--block"
    case .isReadOnly: "--block readonly"
    case .serial: "--block serial=\(block.serial)"
    case .queueCount: "--block queues=\(block.queueCount)"
    }
  }
}

extension Configuration.Device {
  /// Whether it has a file that is to be what the guest's disk was.
  var isDisk: Bool { if case .block = kind { true } else { false } }
}
