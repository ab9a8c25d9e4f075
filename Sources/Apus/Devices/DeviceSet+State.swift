import GuestABI
import HostBackends
import VhostUser
import Virtio
import VirtioDevices
import VirtioMMIO

/// What the virtio devices of a machine are, for the machine that is to go on with their states.
struct DeviceSetState: VersionedState, Equatable {
  static let kind = "devices"
  static let version: UInt32 = 1

  /// One device, as its driver sees it.
  struct Device: Codable, Equatable, Sendable {
    /// Type and place, `block0` say.
    var name: String
    /// The device type of virtio.
    var identifier: UInt32
    /// What a driver was offered.
    var offered: VirtioFeatures
    /// What the driver has accepted; nil: it has not come to that.
    var accepted: VirtioFeatures?
    /// The largest size of each queue, in descriptors.
    var queueSizes: [UInt16]
  }

  /// In the order of the configuration.
  var devices: [Device]

  /// What of another machine's devices does not fit these, each with what would be right.
  func mismatches(with other: DeviceSetState) -> [String] {
    guard devices.map(\.name) == other.devices.map(\.name) else {
      return [
        "the snapshot's devices are \(Self.list(other)), and this machine's \(Self.list(self)); give the same ones in the "
          + "same order"
      ]
    }
    var problems: [String] = []
    for (here, there) in zip(devices, other.devices) {
      if here.identifier != there.identifier {
        problems.append(
          "\(here.name): it was a device of type \(there.identifier), and here it is one of type \(here.identifier); give "
            + "the same type"
        )
        continue
      }
      if here.queueSizes != there.queueSizes {
        problems.append(
          "\(here.name): it had \(Self.text(there.queueSizes)), and here it has \(Self.text(here.queueSizes)); give the same"
        )
      }
      let missing = (there.accepted ?? there.offered).subtracting(here.offered)
      if !missing.isEmpty {
        problems.append(
          "\(here.name): what is behind it here lacks feature \(Self.text(missing)), which its driver was given; give what "
            + "was behind it"
        )
      }
    }
    return problems
  }

  private static func list(_ state: DeviceSetState) -> String {
    state.devices.isEmpty ? "none" : state.devices.map(\.name).joined(separator: ", ")
  }

  private static func text(_ sizes: [UInt16]) -> String {
    let sizes = sizes.map { "\($0)" }.joined(separator: ", ")
    return "queues of \(sizes) descriptors"
  }

  private static func text(_ features: VirtioFeatures) -> String {
    (0..<64).filter { features.contains(VirtioFeatures(bit: $0)) }.map { "\($0)" }.joined(separator: ", ")
  }
}

// The devices' part of a machine's state. All on the device thread, of devices that are suspended.
extension DeviceSet {
  private enum Part {
    static let devices = "devices"
    static let transport = ".transport"
    static let model = ".model"
    static let host = ".host"
    static let shadow = ".shadow"
  }

  /// What a state has of one device.
  struct DeviceParts: Sendable {
    let transport: MMIOTransportState
    let model: any VersionedState
    /// What stood behind it.
    let host: (any VersionedState)?
    /// What stood between it and its guest, where it sees copies.
    let shadow: ShadowQueuesState?
  }

  /// What a state has of all of them.
  struct Parts: Sendable {
    var description: DeviceSetState?
    /// In the order of the devices; nil where a part is missing.
    var devices: [DeviceParts?] = []
  }

  /// What the devices are.
  var description: DeviceSetState {
    DeviceSetState(devices: zip(devices, places).map { plugged, place in Self.describe(plugged.transport, place) })
  }

  private static func describe(_ transport: MMIOTransport, _ place: Board.DevicePlace) -> DeviceSetState.Device {
    DeviceSetState.Device(
      name: place.name,
      identifier: transport.device.identifier.rawValue,
      offered: transport.offeredFeatures,
      accepted: transport.acceptedFeatures,
      queueSizes: transport.device.queueSizes
    )
  }

  /// Has everything collected that ``takeState(_:)`` needs and that takes its time. The machine stays paused.
  ///
  /// - Parameter finished: called once, on the device thread, with what is in the way.
  func prepareState(_ finished: @escaping @Sendable ([String]) -> Void) {
    let failures = Failures()
    let countdown = Countdown(places.count + 1) { finished(failures.problems) }
    for place in places {
      resources[place.index].prepareState { problem in
        if let problem { failures.problems.append(place.told(problem)) }
        countdown.count()
      }
    }
    countdown.count()
  }

  /// The state of all devices, with what stands behind them.
  ///
  /// - Throws: ``MachineStateError``, which names the devices that no snapshot can have.
  func takeState(_ wishes: SnapshotWishes) throws(MachineStateError) -> [StatePart] {
    var problems: [String] = []
    var parts = [StatePart(Part.devices, description)]
    for (index, place) in places.enumerated() {
      let plugged = devices[index]
      let resource = resources[place.index]
      if let obstacle = resource.snapshotObstacle {
        problems.append(place.told(obstacle))
        continue
      }
      let state = plugged.transport.takeState()
      parts.append(StatePart(place.name + Part.transport, state.transport))
      parts.append(StatePart(place.name + Part.model, state.device))
      if let shadow = shadows[index] { parts.append(StatePart(place.name + Part.shadow, shadow.queuesState)) }
      if let host = resource.savedState(wishes) { parts.append(StatePart(place.name + Part.host, host)) }
    }
    guard problems.isEmpty else { throw MachineStateError(problems) }
    return parts
  }

  /// Reads a piece of the state.
  ///
  /// - Throws: ``MachineStateError`` for a piece that this machine has not; otherwise as ``Versioned/init(from:)``.
  func decodePart(_ name: String, from decoder: any Decoder) throws -> StatePart {
    if name == Part.devices { return StatePart(name, try Versioned<DeviceSetState>(from: decoder).state) }
    for (plugged, place) in zip(devices, places) {
      switch name {
      case place.name + Part.transport:
        return StatePart(name, try Versioned<MMIOTransportState>(from: decoder).state)
      case place.name + Part.model: return StatePart(name, try plugged.transport.device.decodeState(from: decoder))
      case place.name + Part.shadow: return StatePart(name, try Versioned<ShadowQueuesState>(from: decoder).state)
      case place.name + Part.host:
        return StatePart(name, try resources[place.index].decodeState(from: decoder))
      default: continue
      }
    }
    throw MachineStateError([
      "the snapshot has '\(name)', which this machine has not; its devices are \(places.map(\.name).joined(separator: ", "))"
    ])
  }

  /// Takes what is the devices' out of a state's pieces.
  func takeParts(_ parts: inout StateParts) -> Parts {
    var taken = Parts()
    taken.description = parts.take(Part.devices, as: DeviceSetState.self)
    // Of other devices all else would be missing and too much.
    guard let description = taken.description, description.devices.map(\.name) == places.map(\.name) else {
      parts.forgetAll()
      return taken
    }
    for (index, place) in places.enumerated() {
      let transport = parts.take(place.name + Part.transport, as: MMIOTransportState.self)
      let model = parts.takeAny(place.name + Part.model)
      let host = parts.takeOptional(place.name + Part.host)
      let shadow =
        shadows[index] == nil ? nil : parts.take(place.name + Part.shadow, as: ShadowQueuesState.self)
      guard let transport, let model else {
        taken.devices.append(nil)
        continue
      }
      taken.devices.append(DeviceParts(transport: transport, model: model, host: host, shadow: shadow))
    }
    return taken
  }

  /// What of a state does not fit these devices and what stands behind them, each with what would be right.
  func mismatches(with parts: Parts, _ wishes: RestoreWishes) -> [String] {
    var problems = parts.description.map { description.mismatches(with: $0) } ?? []
    for (device, place) in zip(parts.devices, places) {
      guard let device else { continue }
      problems += resources[place.index].mismatches(with: device.host, wishes).map(place.told)
    }
    return problems
  }

  /// Puts a state without mismatches into devices that no driver has touched. They stay suspended.
  ///
  /// - Parameter finished: called once, on the device thread, with what went wrong.
  func putState(_ parts: Parts, _ finished: @escaping @Sendable ([String]) -> Void) {
    let failures = Failures()
    let countdown = Countdown(places.count + 1) { [self] in
      guard failures.problems.isEmpty else { return finished(failures.problems) }
      putPreparedState(parts, finished)
    }
    for (index, place) in places.enumerated() {
      resources[place.index].prepareRestore(parts.devices[index]?.host) { problem in
        if let problem { failures.problems.append(place.told(problem)) }
        countdown.count()
      }
    }
    countdown.count()
  }

  private func putPreparedState(_ parts: Parts, _ finished: @escaping @Sendable ([String]) -> Void) {
    let failures = Failures()
    // One more for this call.
    let countdown = Countdown(devices.count + 1) { [self] in
      if failures.problems.isEmpty { for place in places { resources[place.index].restored() } }
      finished(failures.problems)
    }
    for index in order where index < parts.devices.count {
      guard let state = parts.devices[index] else {
        countdown.count()
        continue
      }
      do throws(DeviceStateError) {
        try resources[places[index].index].restore(state.host)
        if let shadow = state.shadow { try shadows[index]?.restore(shadow) }
        try devices[index].transport.putState(state.transport, state.model) { countdown.count() }
      } catch {
        failures.problems.append("\(error)")
        countdown.count()
      }
    }
    countdown.count()
  }

  private var order: [Int] {
    let isFirst = { (index: Int) in self.resources[self.places[index].index].isRestoredFirst }
    return devices.indices.filter(isFirst) + devices.indices.filter { !isFirst($0) }
  }

  /// What went wrong so far. On the device thread.
  private final class Failures: @unchecked Sendable {
    // SAFETY: @unchecked: on the device thread alone.
    var problems: [String] = []
  }

  /// The images of all disks, of which each is to be flushed before a snapshot counts: on another thread, since that
  /// may take long; the machine may go on meanwhile.
  var images: [DiskImage] { places.compactMap { resources[$0.index].image } }

  /// The memory beside the RAM that is a part of the machine's: confined windows, and what is plugged.
  var copiedMemory: [CopiedMemory] {
    copiedWindows + places.compactMap { resources[$0.index].copiedMemory }
  }
}

extension Board.DevicePlace {
  /// A problem with the device's name in front; what is behind a device may have named it already.
  fileprivate func told(_ problem: String) -> String {
    problem.hasPrefix("\(name): ") ? problem : "\(name): \(problem)"
  }
}
