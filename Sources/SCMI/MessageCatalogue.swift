/// What the specification calls messages, and where their fields are.
package enum MessageCatalogue {
  package struct Entry: Sendable {
    package var name: String
    /// Field lists, see ``MessageDecoder``.
    package var request: String
    package var reply: String
    package var delayed = ""
  }

  private static let common: [UInt8: Entry] = [
    0: Entry(name: "PROTOCOL_VERSION", request: "", reply: "version:v"),
    1: Entry(name: "PROTOCOL_ATTRIBUTES", request: "", reply: "attributes:x values:*x"),
    2: Entry(name: "PROTOCOL_MESSAGE_ATTRIBUTES", request: "message_id:x", reply: "attributes:x"),
    0x10: Entry(name: "NEGOTIATE_PROTOCOL_VERSION", request: "version:v", reply: ""),
  ]

  private static let messages: [UInt8: [UInt8: Entry]] = [
    0x10: [
      3: Entry(name: "BASE_DISCOVER_VENDOR", request: "", reply: "vendor:s16"),
      4: Entry(name: "BASE_DISCOVER_SUB_VENDOR", request: "", reply: "sub_vendor:s16"),
      5: Entry(name: "BASE_DISCOVER_IMPLEMENTATION_VERSION", request: "", reply: "version:x"),
      6: Entry(name: "BASE_DISCOVER_LIST_PROTOCOLS", request: "skip", reply: "count protocols:*x"),
      7: Entry(name: "BASE_DISCOVER_AGENT", request: "agent_id", reply: "agent_id name:s16"),
      8: Entry(name: "BASE_NOTIFY_ERRORS", request: "notify_enable", reply: ""),
      9: Entry(name: "BASE_SET_DEVICE_PERMISSIONS", request: "agent_id device_id flags:x", reply: ""),
      0xA: Entry(
        name: "BASE_SET_PROTOCOL_PERMISSIONS",
        request: "agent_id device_id protocol_id:x flags:x",
        reply: ""
      ),
      0xB: Entry(name: "BASE_RESET_AGENT_CONFIGURATION", request: "agent_id flags:x", reply: ""),
    ],
    0x11: [
      3: Entry(name: "POWER_DOMAIN_ATTRIBUTES", request: "domain_id", reply: "attributes:x name:s16"),
      4: Entry(
        name: "POWER_STATE_SET",
        request: "flags:x domain_id power_state:x",
        reply: "",
        delayed: "domain_id power_state:x"
      ),
      5: Entry(name: "POWER_STATE_GET", request: "domain_id", reply: "power_state:x"),
      6: Entry(name: "POWER_STATE_NOTIFY", request: "domain_id notify_enable", reply: ""),
      7: Entry(name: "POWER_STATE_CHANGE_REQUESTED_NOTIFY", request: "domain_id notify_enable", reply: ""),
      8: Entry(name: "POWER_DOMAIN_NAME_GET", request: "domain_id", reply: "flags:x name:s64"),
    ],
    0x12: [
      3: Entry(name: "SYSTEM_POWER_STATE_SET", request: "flags:x system_state", reply: ""),
      4: Entry(name: "SYSTEM_POWER_STATE_GET", request: "", reply: "system_state"),
      5: Entry(name: "SYSTEM_POWER_STATE_NOTIFY", request: "notify_enable", reply: ""),
    ],
    0x13: [
      3: Entry(
        name: "PERFORMANCE_DOMAIN_ATTRIBUTES",
        request: "domain_id",
        reply: "attributes:x rate_limit sustained_freq sustained_perf_level name:s16"
      ),
      4: Entry(
        name: "PERFORMANCE_DESCRIBE_LEVELS",
        request: "domain_id level_index",
        reply: "num_levels:x levels:*"
      ),
      5: Entry(name: "PERFORMANCE_LIMITS_SET", request: "domain_id range_max range_min", reply: ""),
      6: Entry(name: "PERFORMANCE_LIMITS_GET", request: "domain_id", reply: "range_max range_min"),
      7: Entry(name: "PERFORMANCE_LEVEL_SET", request: "domain_id performance_level", reply: ""),
      8: Entry(name: "PERFORMANCE_LEVEL_GET", request: "domain_id", reply: "performance_level"),
      9: Entry(name: "PERFORMANCE_NOTIFY_LIMITS", request: "domain_id notify_enable", reply: ""),
      0xA: Entry(name: "PERFORMANCE_NOTIFY_LEVEL", request: "domain_id notify_enable", reply: ""),
      0xB: Entry(name: "PERFORMANCE_DESCRIBE_FASTCHANNEL", request: "domain_id message_id", reply: "values:*x"),
      0xC: Entry(name: "PERFORMANCE_DOMAIN_NAME_GET", request: "domain_id", reply: "flags:x name:s64"),
    ],
    0x14: [
      3: Entry(
        name: "CLOCK_ATTRIBUTES",
        request: "clock_id",
        reply: "attributes:x name:s16 enable_latency"
      ),
      4: Entry(name: "CLOCK_DESCRIBE_RATES", request: "clock_id rate_index", reply: "num_rates_flags:x rates:*q"),
      5: Entry(
        name: "CLOCK_RATE_SET",
        request: "flags:x clock_id rate:q",
        reply: "",
        delayed: "clock_id rate:q"
      ),
      6: Entry(name: "CLOCK_RATE_GET", request: "clock_id", reply: "rate:q"),
      7: Entry(name: "CLOCK_CONFIG_SET", request: "clock_id attributes:x extended_config_val", reply: ""),
      8: Entry(name: "CLOCK_NAME_GET", request: "clock_id", reply: "flags:x name:s64"),
      9: Entry(name: "CLOCK_RATE_NOTIFY", request: "clock_id notify_enable", reply: ""),
      0xA: Entry(name: "CLOCK_RATE_CHANGE_REQUESTED_NOTIFY", request: "clock_id notify_enable", reply: ""),
      0xB: Entry(
        name: "CLOCK_CONFIG_GET",
        request: "clock_id flags:x",
        reply: "attributes:x config:x extended_config_val"
      ),
      0xC: Entry(
        name: "CLOCK_POSSIBLE_PARENTS_GET",
        request: "clock_id skip_parents",
        reply: "num_parent_flags:x possible_parents:*"
      ),
      0xD: Entry(name: "CLOCK_PARENT_SET", request: "clock_id parent_id", reply: ""),
      0xE: Entry(name: "CLOCK_PARENT_GET", request: "clock_id", reply: "parent_id"),
      0xF: Entry(name: "CLOCK_GET_PERMISSIONS", request: "clock_id", reply: "permissions:x"),
    ],
    0x15: [
      3: Entry(name: "SENSOR_DESCRIPTION_GET", request: "desc_index", reply: "num_sensor_flags:x descriptors:*x"),
      4: Entry(name: "SENSOR_TRIP_POINT_NOTIFY", request: "sensor_id sensor_event_control:x", reply: ""),
      5: Entry(
        name: "SENSOR_TRIP_POINT_CONFIG",
        request: "sensor_id trip_point_ev_ctrl:x trip_point_val:i",
        reply: ""
      ),
      6: Entry(
        name: "SENSOR_READING_GET",
        request: "sensor_id flags:x",
        reply: "readings:*i",
        delayed: "sensor_id readings:*i"
      ),
      7: Entry(
        name: "SENSOR_AXIS_DESCRIPTION_GET",
        request: "sensor_id axis_desc_index",
        reply: "num_axis_flags:x descriptors:*x"
      ),
      8: Entry(
        name: "SENSOR_LIST_UPDATE_INTERVALS",
        request: "sensor_id index",
        reply: "num_intervals_flags:x intervals:*x"
      ),
      9: Entry(name: "SENSOR_CONFIG_GET", request: "sensor_id", reply: "sensor_config:x"),
      0xA: Entry(name: "SENSOR_CONFIG_SET", request: "sensor_id sensor_config:x", reply: ""),
      0xB: Entry(name: "SENSOR_CONTINUOUS_UPDATE_NOTIFY", request: "sensor_id notify_enable", reply: ""),
      0xC: Entry(name: "SENSOR_NAME_GET", request: "sensor_id", reply: "flags:x name:s64"),
      0xD: Entry(
        name: "SENSOR_AXIS_NAME_GET",
        request: "sensor_id axis_desc_index",
        reply: "num_axis_flags:x axis_id name:s64"
      ),
    ],
    0x16: [
      3: Entry(name: "RESET_DOMAIN_ATTRIBUTES", request: "domain_id", reply: "attributes:x latency name:s16"),
      4: Entry(name: "RESET", request: "domain_id flags:x reset_state:x", reply: "", delayed: "domain_id"),
      5: Entry(name: "RESET_NOTIFY", request: "domain_id notify_enable", reply: ""),
      6: Entry(name: "RESET_DOMAIN_NAME_GET", request: "domain_id", reply: "flags:x name:s64"),
    ],
    0x17: [
      3: Entry(name: "VOLTAGE_DOMAIN_ATTRIBUTES", request: "domain_id", reply: "attributes:x name:s16"),
      4: Entry(
        name: "VOLTAGE_DESCRIBE_LEVELS",
        request: "domain_id level_index",
        reply: "flags:x voltage:*d"
      ),
      5: Entry(name: "VOLTAGE_CONFIG_SET", request: "domain_id config:x", reply: ""),
      6: Entry(name: "VOLTAGE_CONFIG_GET", request: "domain_id", reply: "config:x"),
      7: Entry(
        name: "VOLTAGE_LEVEL_SET",
        request: "domain_id flags:x voltage_level:d",
        reply: "",
        delayed: "domain_id voltage_level:d"
      ),
      8: Entry(name: "VOLTAGE_LEVEL_GET", request: "domain_id", reply: "voltage_level:d"),
      9: Entry(name: "VOLTAGE_DOMAIN_NAME_GET", request: "domain_id", reply: "flags:x name:s64"),
    ],
    0x18: [
      3: Entry(
        name: "POWERCAP_DOMAIN_ATTRIBUTES",
        request: "domain_id",
        reply: "attributes:x name:s16 min_pai max_pai pai_step min_power_cap max_power_cap power_cap_step "
          + "sustainable_power accuracy parent_id:x"
      ),
      4: Entry(name: "POWERCAP_CAP_GET", request: "domain_id", reply: "power_cap"),
      5: Entry(
        name: "POWERCAP_CAP_SET",
        request: "domain_id flags:x power_cap",
        reply: "",
        delayed: "domain_id power_cap"
      ),
      6: Entry(name: "POWERCAP_PAI_GET", request: "domain_id", reply: "pai"),
      7: Entry(name: "POWERCAP_PAI_SET", request: "domain_id flags:x pai", reply: ""),
      8: Entry(name: "POWERCAP_DOMAIN_NAME_GET", request: "domain_id", reply: "flags:x name:s64"),
      9: Entry(name: "POWERCAP_MEASUREMENTS_GET", request: "domain_id", reply: "power pai"),
      0xA: Entry(name: "POWERCAP_CAP_NOTIFY", request: "domain_id notify_enable", reply: ""),
      0xB: Entry(
        name: "POWERCAP_MEASUREMENTS_NOTIFY",
        request: "domain_id notify_enable power_thresh_low power_thresh_high",
        reply: ""
      ),
      0xC: Entry(name: "POWERCAP_DESCRIBE_FASTCHANNEL", request: "domain_id message_id", reply: "values:*x"),
    ],
    0x19: [
      3: Entry(name: "PINCTRL_ATTRIBUTES", request: "identifier flags:x", reply: "attributes:x name:s16"),
      4: Entry(
        name: "PINCTRL_LIST_ASSOCIATIONS",
        request: "identifier flags:x index",
        reply: "flags:x array:*x"
      ),
      5: Entry(
        name: "PINCTRL_SETTINGS_GET",
        request: "identifier attributes:x",
        reply: "function_selected:x num_configs:x configs:*"
      ),
      6: Entry(
        name: "PINCTRL_SETTINGS_CONFIGURE",
        request: "identifier function_id:x attributes:x configs:*",
        reply: ""
      ),
      7: Entry(name: "PINCTRL_REQUEST", request: "identifier flags:x", reply: ""),
      8: Entry(name: "PINCTRL_RELEASE", request: "identifier flags:x", reply: ""),
      9: Entry(name: "PINCTRL_NAME_GET", request: "identifier flags:x", reply: "flags:x name:s64"),
      0xA: Entry(name: "PINCTRL_SET_PERMISSIONS", request: "agent_id identifier flags:x", reply: ""),
    ],
  ]

  /// Notifications have numbers of their own.
  private static let notifications: [UInt8: [UInt8: Entry]] = [
    0x10: [0: Entry(name: "BASE_ERROR_EVENT", request: "", reply: "agent_id error_status:x reports:*q")],
    0x11: [
      0: Entry(name: "POWER_STATE_CHANGED", request: "", reply: "agent_id domain_id power_state:x"),
      1: Entry(name: "POWER_STATE_CHANGE_REQUESTED", request: "", reply: "agent_id domain_id power_state:x"),
    ],
    0x12: [
      0: Entry(name: "SYSTEM_POWER_STATE_NOTIFIER", request: "", reply: "agent_id flags:x system_state timeout")
    ],
    0x13: [
      0: Entry(name: "PERFORMANCE_LIMITS_CHANGED", request: "", reply: "agent_id domain_id range_max range_min"),
      1: Entry(name: "PERFORMANCE_LEVEL_CHANGED", request: "", reply: "agent_id domain_id performance_level"),
    ],
    0x14: [
      0: Entry(name: "CLOCK_RATE_CHANGED", request: "", reply: "agent_id clock_id rate:q"),
      1: Entry(name: "CLOCK_RATE_CHANGE_REQUESTED", request: "", reply: "agent_id clock_id rate:q"),
    ],
    0x15: [
      0: Entry(name: "SENSOR_TRIP_POINT_EVENT", request: "", reply: "agent_id sensor_id trip_point_desc:x"),
      1: Entry(name: "SENSOR_UPDATE", request: "", reply: "agent_id sensor_id readings:*i"),
    ],
    0x16: [0: Entry(name: "RESET_ISSUED", request: "", reply: "agent_id domain_id reset_state:x")],
    0x18: [
      0: Entry(name: "POWERCAP_CAP_CHANGED", request: "", reply: "agent_id domain_id power_cap pai"),
      1: Entry(name: "POWERCAP_MEASUREMENTS_CHANGED", request: "", reply: "agent_id domain_id power"),
    ],
  ]

  package static func entry(_ header: MessageHeader) -> Entry? {
    if header.type == .notification { return notifications[header.protocolIdentifier]?[header.message] }
    return common[header.message] ?? messages[header.protocolIdentifier]?[header.message]
  }

  /// The specification's name, or protocol and message as numbers.
  package static func name(_ header: MessageHeader) -> String {
    if let entry = entry(header) { return entry.name }
    let kind = header.type == .notification ? "notification" : "message"
    return "protocol 0x\(String(header.protocolIdentifier, radix: 16)) \(kind) 0x\(String(header.message, radix: 16))"
  }

  /// The number of a message by its name.
  package static func number(_ protocolIdentifier: UInt8, _ name: String, isNotification: Bool = false) -> UInt8? {
    if isNotification { return notifications[protocolIdentifier]?.first { $0.value.name == name }?.key }
    if let match = common.first(where: { $0.value.name == name }) { return match.key }
    return messages[protocolIdentifier]?.first { $0.value.name == name }?.key
  }

  /// The names of a protocol's messages, by number.
  package static func names(_ protocolIdentifier: UInt8, isNotification: Bool = false) -> [String] {
    let entries =
      isNotification
      ? notifications[protocolIdentifier] ?? [:]
      : common.merging(messages[protocolIdentifier] ?? [:]) { _, own in own }
    return entries.sorted { $0.key < $1.key }.map(\.value.name)
  }

  /// Which payload word of a command names the resource.
  package static func resourceWord(_ header: MessageHeader) -> Int? {
    guard header.message > 2, header.message != MessageSet.negotiate else { return nil }
    switch (header.protocolIdentifier, header.message) {
    case (0x10, _), (0x12, _), (0x15, 3): return nil
    case (0x11, 4), (0x14, 5), (0x19, 0xA): return 1
    case (0x11...0x19, _): return 0
    default: return nil
    }
  }

  /// Where the count of remaining entries begins in a multi-part reply.
  package static func remainingShift(_ header: MessageHeader) -> UInt32? {
    switch (header.protocolIdentifier, header.message) {
    case (0x13, 4), (0x14, 4), (0x15, 3), (0x15, 8), (0x17, 4), (0x19, 4): 16
    case (0x14, 0xC), (0x19, 5): 24
    case (0x15, 7), (0x15, 0xD): 26
    default: nil
    }
  }
}
