import Apus
import ArgumentParser

extension Configuration.Device {
  /// Reads `SIZE[,initial=SIZE][,block=SIZE][,name=NAME][,window=NAME]`.
  ///
  /// - Throws: what is wrong with the text, and what would be right.
  static func memory(_ text: String) throws(DeviceTextError) -> Configuration.Device {
    var fields = DeviceFields(text)
    var memory = Memory(size: try bytes(fields.value))
    if let initial = try fields.take("initial") { memory.initialSize = try bytes(initial, of: "initial") }
    if let block = try fields.take("block") { memory.blockSize = try bytes(block, of: "block") }
    if let name = try fields.take("name") { memory.name = name }
    var device = Configuration.Device(.memory(memory))
    try fields.finish(&device, known: "initial=SIZE, block=SIZE, name=NAME, window=NAME")
    return device
  }

  private static func bytes(_ text: String, of setting: String? = nil) throws(DeviceTextError) -> UInt64 {
    if let count = ByteCount(text) { return count.bytes }
    guard let setting else { throw DeviceTextError("the size of the region comes first: \(ByteCount.form)") }
    throw DeviceTextError("\(setting)=\(text): \(ByteCount.form)")
  }
}

enum MemoryOption {
  static let name: NameSpecification = [.customLong("hotplug-memory")]
  static let help = ArgumentHelp(
    "Memory that the guest plugs and unplugs while it runs. May be given several times.",
    discussion: "SIZE[,initial=SIZE][,block=SIZE][,name=NAME][,window=NAME]",
    valueName: "region"
  )
  static let read: Setting.Reader = { try Setting.device($0, Configuration.Device.memory) }

  /// The option, with the setting that is meant.
  static func name(_ property: Configuration.Device.Memory.Property, of device: Configuration.Device?) -> String {
    guard case .memory(let memory)? = device?.kind else { return "--hotplug-memory" }
    return switch property {
    case .size: "--hotplug-memory \(ByteCount(memory.size))"
    case .name: "--hotplug-memory name=\(memory.name)"
    case .initialSize: "--hotplug-memory initial=\(ByteCount(memory.initialSize))"
    case .blockSize: "--hotplug-memory block=\(ByteCount(memory.blockSize))"
    }
  }
}
