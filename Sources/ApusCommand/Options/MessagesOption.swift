import Apus
import ArgumentParser

extension Configuration.Device {
  /// Reads `TYPE,socket=PATH[,platform=PATH][,agent=NAME][,window=NAME]`.
  ///
  /// - Throws: what is wrong with the text, and what would be right.
  static func messages(_ text: String) throws(DeviceTextError) -> Configuration.Device {
    var fields = DeviceFields(text)
    let models = Messages.Model.allCases.map(\.rawValue).joined(separator: ", ")
    guard let model = Messages.Model(rawValue: fields.value) else {
      throw DeviceTextError("the type comes first, one of \(models): TYPE,socket=PATH[,…]")
    }
    guard let socket = try fields.take("socket") else {
      throw DeviceTextError("the socket of the device's process is missing: \(fields.value),socket=PATH")
    }
    var messages = Messages(model, socket: socket)
    messages.platform = try fields.take("platform")
    messages.agent = try fields.take("agent")
    var device = Configuration.Device(.messages(messages))
    try fields.finish(&device, known: "socket=PATH, platform=PATH, agent=NAME, window=NAME")
    return device
  }
}

enum MessagesOption {
  static let help = ArgumentHelp(
    "A device that another process serves by messages (see 'apus device serve --help'). May be given several times.",
    discussion: "entropy, block or scmi, then ,socket=PATH[,platform=PATH][,agent=NAME][,window=NAME]",
    valueName: "device"
  )
  static let read: Setting.Reader = { try Setting.device($0, Configuration.Device.messages) }

  /// The option, with the setting that is meant.
  static func name(_ property: Configuration.Device.Messages.Property, of device: Configuration.Device?) -> String {
    guard case .messages(let messages)? = device?.kind else { return "--message-device" }
    let option = "--message-device \(messages.model.rawValue)"
    return switch property {
    case .model: option
    case .socket: "\(option),socket=\(messages.socket)"
    case .platform: "\(option),platform=\(messages.platform ?? "PATH")"
    case .agent: "\(option),agent=\(messages.agent ?? "NAME")"
    }
  }
}
