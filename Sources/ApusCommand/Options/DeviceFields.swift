import Apus

// Devices as people write them on a command line: a value and then settings, separated by commas.

/// A text that does not say what it should.
struct DeviceTextError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong and what would be right.
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// A value and the settings behind it.
struct DeviceFields {
  let value: String
  private var settings: [(name: String, value: String?)] = []

  init(_ text: String) {
    var parts: [String] = [""]
    var characters = Array(text)[...]
    while let character = characters.popFirst() {
      if character != "," {
        parts[parts.count - 1].append(character)
      } else if characters.first == ",", parts.count == 1 {
        parts[0].append(character)
        characters.removeFirst()
      } else {
        parts.append("")
      }
    }
    value = parts[0]
    settings = parts.dropFirst().filter { !$0.isEmpty }.map { part in
      let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      return (halves[0], halves.count == 2 ? halves[1] : nil)
    }
  }

  /// A setting with a value, where it is given; once at most.
  mutating func take(_ name: String) throws(DeviceTextError) -> String? {
    let value = try takeFirst(name)
    try expectNoOther(name)
    return value
  }

  /// The first setting of that name, where there is one.
  mutating func takeFirst(_ name: String) throws(DeviceTextError) -> String? {
    guard let index = settings.firstIndex(where: { $0.name == name }) else { return nil }
    guard let value = settings.remove(at: index).value, !value.isEmpty else {
      throw DeviceTextError("\(name) needs a value: \(name)=…")
    }
    return value
  }

  /// A setting that is true by being there.
  mutating func takeFlag(_ name: String) throws(DeviceTextError) -> Bool {
    guard let index = settings.firstIndex(where: { $0.name == name }) else { return false }
    guard settings.remove(at: index).value == nil else { throw DeviceTextError("\(name) takes no value") }
    try expectNoOther(name)
    return true
  }

  /// How a back-end elsewhere gets at requests.
  mutating func takeAccess() throws(DeviceTextError) -> Configuration.Device.RemoteAccess {
    let (isDirect, isBounced) = (try takeFlag("direct"), try takeFlag("bounce"))
    guard !(isDirect && isBounced) else { throw DeviceTextError("direct and bounce exclude each other; give one") }
    return isDirect ? .direct : isBounced ? .bounced : .inPlace
  }

  private func expectNoOther(_ name: String) throws(DeviceTextError) {
    if settings.contains(where: { $0.name == name }) { throw DeviceTextError("\(name) is there twice; give it once") }
  }

  /// The settings of every device; anything left is a mistake.
  ///
  /// - Parameter isElsewhere: whether another process sees all of the device's window.
  mutating func finish(
    _ device: inout Configuration.Device,
    isElsewhere: Bool = false,
    known: String
  ) throws(DeviceTextError) {
    if let window = try take("window") {
      guard !isElsewhere || window != Configuration.Device.defaultWindow else {
        throw DeviceTextError(
          """
          window=\(window) is for devices of this process, and another process would see all of it; give another name, \
          or leave it out for a window of the device's own
          """
        )
      }
      device.window = window
    }
    if let first = settings.first { throw DeviceTextError("'\(first.name)' is no setting here; there are \(known)") }
  }
}
