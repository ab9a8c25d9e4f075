import Apus
import ArgumentParser
import Host

extension Configuration.Device {
  /// Reads `TYPE,socket=PATH[,direct|bounce][,queues=N][,config=BYTES][,window=NAME]`.
  ///
  /// - Throws: what is wrong with the text, and what would be right.
  static func vhostUser(_ text: String) throws(DeviceTextError) -> Configuration.Device {
    var fields = DeviceFields(text)
    let names = VhostUser.DeviceType.names.joined(separator: ", ")
    guard let type = VhostUser.DeviceType(fields.value) else {
      throw DeviceTextError("the type of the device comes first: \(names), or its number in the specification")
    }
    guard let socket = try fields.take("socket") else {
      throw DeviceTextError("where does the back-end listen? Give socket=PATH")
    }
    var device = VhostUser(type, socket: socket)
    device.access = try fields.takeAccess()
    device.queueCount = try number("queues", &fields)
    device.configurationSize = try number("config", &fields)
    device.tag = try fields.take("tag")
    var result = Configuration.Device(.vhostUser(device))
    let known = "socket=PATH, direct, bounce, queues=N, config=BYTES, tag=NAME, window=NAME"
    try fields.finish(&result, isElsewhere: true, known: known)
    return result
  }

  private static func number(_ name: String, _ fields: inout DeviceFields) throws(DeviceTextError) -> Int? {
    guard let text = try fields.take(name) else { return nil }
    guard let number = Int(plain: text) else { throw DeviceTextError("\(name)=\(text): give a number") }
    return number
  }
}

enum VhostUserOption {
  static let help = ArgumentHelp(
    "A device whose back-end is another process that listens on a socket (vhost-user).",
    discussion:
      "block|fs|scmi|rng|vsock|NUMBER,socket=PATH[,direct|bounce][,queues=N][,config=BYTES][,tag=NAME][,window=NAME]",
    valueName: "device"
  )
  static let read: Setting.Reader = { try Setting.device($0, Configuration.Device.vhostUser) }

  /// The option, with the setting that is meant.
  static func name(_ property: Configuration.Device.VhostUser.Property, of device: Configuration.Device?) -> String {
    guard case .vhostUser(let value)? = device?.kind else { return "--vhost-user" }
    return switch property {
    case .type: "--vhost-user \(value.type)"
    case .socket: "--vhost-user socket=\(value.socket)"
    case .access: "--vhost-user \(value.access == .direct ? "direct" : "bounce")"
    case .queueCount: "--vhost-user queues=\(value.queueCount ?? 0)"
    case .configurationSize: "--vhost-user config=\(value.configurationSize ?? 0)"
    case .tag: "--vhost-user tag=\(value.tag ?? "")"
    }
  }
}
