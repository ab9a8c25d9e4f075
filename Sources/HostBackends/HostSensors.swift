import CHost
internal import Glibc
package import SCMI

/// What the host measures of itself, read from its sysfs at the moment of asking: hwmon chips, thermal zones, and the
/// frequencies of its CPUs. Nothing is ever written.
///
/// A name is `hwmon:CHIP/FILE` (such as `hwmon:nvme/temp1_input`; the chip by its name, the first one of that name),
/// `thermal:TYPE` (a zone by its type) or `cpufreq:N` (CPU N).
public struct HostSensors: Sendable {
  /// One value that the host has.
  public struct Sensor: Equatable, Sendable {
    /// By which a platform file binds it.
    public var name: String
    /// In the unit of the file: thousandths of degrees, volts and amperes, millionths of watts, kHz.
    public var value: Int64
  }

  private let root: String

  /// - Parameter root: where sysfs is.
  public init(root: String = "/sys") {
    self.root = root
  }

  /// No host has more chips, zones or files of one kind than are looked at.
  private static let limit = 64
  private static let kinds: [(prefix: String, type: UInt8, scale: Int8)] = [
    ("temp", SensorType.celsius, -3), ("in", SensorType.volts, -3), ("curr", SensorType.amperes, -3),
    ("power", SensorType.watts, -6), ("fan", SensorType.revolutionsPerMinute, 0),
  ]

  /// All that the host has now.
  public var all: [Sensor] {
    var found: [Sensor] = []
    var names: Set<String> = []
    func add(_ name: String) {
      guard names.insert(name).inserted, let value = value(of: name) else { return }
      found.append(Sensor(name: name, value: value))
    }
    for chip in 0..<Self.limit {
      guard let name = text("class/hwmon/hwmon\(chip)/name") else { continue }
      for kind in Self.kinds {
        for number in 0...16 { add("hwmon:\(name)/\(kind.prefix)\(number)_input") }
      }
    }
    for zone in 0..<Self.limit {
      if let type = text("class/thermal/thermal_zone\(zone)/type") { add("thermal:\(type)") }
    }
    for cpu in 0..<Self.limit { add("cpufreq:\(cpu)") }
    return found
  }

  /// What the host measures now; `nil` where it has no such thing, or it can't be read.
  public func value(of name: String) -> Int64? {
    let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
    guard parts.count == 2, !parts[1].contains("..") else { return nil }
    switch parts[0] {
    case "hwmon":
      let words = parts[1].split(separator: "/").map(String.init)
      guard words.count == 2 else { return nil }
      let chip = (0..<Self.limit).first { text("class/hwmon/hwmon\($0)/name") == words[0] }
      return chip.flatMap { number("class/hwmon/hwmon\($0)/\(words[1])") }
    case "thermal":
      let zone = (0..<Self.limit).first { text("class/thermal/thermal_zone\($0)/type") == parts[1] }
      return zone.flatMap { number("class/thermal/thermal_zone\($0)/temp") }
    case "cpufreq":
      guard let cpu = Int(parts[1]), cpu >= 0 else { return nil }
      return number("devices/system/cpu/cpu\(cpu)/cpufreq/scaling_cur_freq")
    default: return nil
    }
  }

  /// A definition in which what is bound to the host reads the host, and which has a sensor for each value of the
  /// host's if it asks for them.
  package func bind(_ definition: PlatformDefinition) -> PlatformDefinition {
    var bound = definition
    if definition.hostSensors {
      for sensor in all where sensor.name.utf8.count <= 63 && !bound.sensors.contains(where: { $0.name == sensor.name })
      {
        bound.sensors.append(self.definition(of: sensor.name))
      }
    }
    for index in bound.sensors.indices { bound.sensors[index].binding = bind(bound.sensors[index].binding) }
    for index in bound.powercaps.indices { bound.powercaps[index].power = bind(bound.powercaps[index].power) }
    return bound
  }

  private func bind(_ binding: ValueBinding) -> ValueBinding {
    guard case .host(let name) = binding else { return binding }
    return .closure { [self] _, _ in value(of: name) ?? 0 }
  }

  private func definition(of name: String) -> SensorDefinition {
    SensorDefinition(name) { sensor in
      sensor.binding = .host(name)
      let file = name.split(separator: "/").last ?? ""
      if name.hasPrefix("cpufreq:") {
        (sensor.type, sensor.scale) = (SensorType.hertz, 3)
      } else if name.hasPrefix("hwmon:"), let kind = Self.kinds.first(where: { file.hasPrefix($0.prefix) }) {
        (sensor.type, sensor.scale) = (kind.type, kind.scale)
      } else {
        (sensor.type, sensor.scale) = (SensorType.celsius, -3)
      }
    }
  }

  private func number(_ path: String) -> Int64? { text(path).flatMap { Int64($0) } }

  /// The first line of a file below the root.
  private func text(_ path: String) -> String? {
    // SAFETY: the path holds for the call.
    let number = unsafe open("\(root)/\(path)", O_RDONLY | O_CLOEXEC | O_NOCTTY)
    guard number >= 0 else { return nil }
    defer { close(number) }
    return unsafe withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
      // SAFETY: the buffer is this call's own and its size goes along.
      let count = unsafe read(number, buffer.baseAddress, buffer.count)
      guard count > 0 else { return nil }
      let bytes = unsafe buffer[..<count].prefix { $0 != 0x0A }
      return unsafe String(decoding: bytes, as: UTF8.self)
    }
  }
}
