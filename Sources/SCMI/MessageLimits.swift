/// How much of a list fits into one message, and words with a meaning of their own.
extension SCMIMessage {
  /// How many entries of `size` bytes a reply has room for behind status and counts.
  ///
  /// - Parameter words: what stands before the entries.
  static func maximumEntries(size: Int, behind words: Int = 2) -> Int { (maximumPayload - 4 * words) / size }
}

extension BaseProtocol {
  /// BASE_DISCOVER_LIST_PROTOCOLS: a byte each.
  static var maximumProtocols: Int { SCMIMessage.maximumEntries(size: 1) }

  /// BASE_DISCOVER_AGENT: the platform itself.
  package static var platform: UInt32 { 0 }

  /// BASE_DISCOVER_AGENT, from 2.0 on: who asks.
  package static var oneself: UInt32 { .max }
}

extension PerformanceProtocol {
  /// PERFORMANCE_DESCRIBE_LEVELS before 4.0: level, power and latency.
  static var maximumLevels: Int { SCMIMessage.maximumEntries(size: 12) }

  /// From 4.0 on frequency and index, too.
  static var maximumLongLevels: Int { SCMIMessage.maximumEntries(size: 20) }

  /// The bits of the rate limit in PERFORMANCE_DOMAIN_ATTRIBUTES: 19:0, in microseconds.
  static var rateLimitMask: UInt32 { 0xF_FFFF }
}

extension ClockProtocol {
  /// CLOCK_DESCRIBE_RATES.
  static var maximumRates: Int { SCMIMessage.maximumEntries(size: 8) }

  /// CLOCK_POSSIBLE_PARENTS_GET.
  static var maximumParents: Int { SCMIMessage.maximumEntries(size: 4) }
}

extension SensorProtocol {
  /// SENSOR_LIST_UPDATE_INTERVALS.
  static var maximumIntervals: Int { SCMIMessage.maximumEntries(size: 4) }
}

extension VoltageProtocol {
  /// VOLTAGE_DESCRIBE_LEVELS.
  static var maximumLevels: Int { SCMIMessage.maximumEntries(size: 4) }
}

extension PowercapProtocol {
  /// POWERCAP_DOMAIN_ATTRIBUTES: the domain is a root.
  static var noParent: UInt32 { .max }
}

extension PinControlProtocol {
  /// PINCTRL_LIST_ASSOCIATIONS: 16 bits each.
  static var maximumAssociations: Int { SCMIMessage.maximumEntries(size: 2) }

  /// PINCTRL_SETTINGS_GET: type and value each.
  static var maximumSettings: Int { SCMIMessage.maximumEntries(size: 8, behind: 3) }

  /// PINCTRL_SETTINGS_GET: no function is selected, or none that the agent may see.
  static var noFunction: UInt32 { .max }

  /// The type of a setting: 0 to 20 are the specification's, 192 to 255 vendors'; `nil` for all else.
  static func settingType(_ word: UInt32) -> UInt8? {
    word <= 20 || (192...255).contains(word) ? UInt8(word) : nil
  }
}

extension PinControlProtocol.SettingsConfigure {
  /// The payload's size in bytes with so many settings.
  static func size(settings: Int) -> Int { 12 + 8 * settings }

  /// - Returns: `nil` where the message ends before the settings begin.
  init?(of message: SCMIMessage) {
    guard message.count >= Self.size(settings: 0) else { return nil }
    self.init()
    var reader = FieldReader(message)
    visit(&reader)
  }
}
