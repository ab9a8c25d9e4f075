import Apus

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
