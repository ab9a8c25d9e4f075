import Apus
import ArgumentParser

extension Configuration.Device {
  /// Reads `PATH[,agent=NAME][,window=NAME]`. A comma in the path is written twice.
  ///
  /// - Throws: what is wrong with the text, and what would be right.
  static func scmi(_ text: String) throws(DeviceTextError) -> Configuration.Device {
    var fields = DeviceFields(text)
    var scmi = SCMI(path: fields.value)
    guard !fields.value.isEmpty else {
      throw DeviceTextError("the path of the platform file comes first: PATH[,agent=NAME][,…]")
    }
    scmi.agent = try fields.take("agent")
    var device = Configuration.Device(.scmi(scmi))
    try fields.finish(&device, known: "agent=NAME, window=NAME")
    return device
  }
}

enum SCMIOption {
  static let help = ArgumentHelp(
    "An SCMI platform, made from a platform file (see 'apus scmi --help').",
    discussion: "PATH[,agent=NAME][,window=NAME]",
    valueName: "platform"
  )
  static let read: Setting.Reader = { try Setting.device($0, Configuration.Device.scmi) }

  /// Of `--scmi-transcript`.
  static let transcriptHelp = ArgumentHelp("Write each SCMI message as a line of JSON to a file.", valueName: "path")
  static let readTranscript: Setting.Reader = Setting.text { $0.configuration.scmiTranscript = $1 }

  /// The option, with the setting that is meant.
  static func name(_ property: Configuration.Device.SCMI.Property, of device: Configuration.Device?) -> String {
    guard case .scmi(let scmi)? = device?.kind else { return "--scmi" }
    return switch property {
    case .source: "--scmi"
    case .agent: scmi.agent.map { "--scmi agent=\($0)" } ?? "--scmi …,agent=NAME"
    }
  }
}
