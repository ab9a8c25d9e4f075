import GuestABI
import Virtio

// What a machine's devices come to, before anything is started.

extension Plan {
  /// A virtio device.
  public struct Device: Sendable, Encodable {
    /// Type and index, as the report has it.
    public let name: String
    /// The kind's name, such as `block`.
    public let type: String
    /// From 0.
    public let slot: Int
    /// Where its registers are.
    public let registers: Region
    /// Its shared peripheral interrupt, counted from 0 as in the device tree.
    public let interrupt: UInt32
    /// What it may reach of the guest's memory: its DMA window, RAM where DMA is open, or what of RAM is mapped for it
    /// where it is behind an IOMMU; nil where there are no windows and it has only copies.
    public let window: Region?
    /// What of the guest's memory the device's model can touch: `window` for that, `shadow` for copies of requests in
    /// memory of Apus's own, or `messages` for nothing.
    public let reach: String
    /// What only its kind has, such as ``block``; encoded under the kind's name.
    let part: (any Encodable & Sendable)?

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodedKey.self)
      try container.encode(name, forKey: "name")
      try container.encode(type, forKey: "type")
      try container.encode(slot, forKey: "slot")
      try container.encode(registers, forKey: "registers")
      try container.encode(interrupt, forKey: "interrupt")
      try container.encodeIfPresent(window, forKey: "window")
      try container.encode(reach, forKey: "reach")
      if let part { try container.encode(part, forKey: CodedKey(stringValue: type)) }
    }
  }
}

extension Plan.Device {
  init(_ place: Board.DevicePlace, _ wanted: Configuration.Device, _ checked: CheckedConfiguration) {
    let window = checked.board.reach(of: place)
    let reach = checked.configuration.reachName(of: place.index)
    let isPresent = place.endpoint != nil || place.window != nil || reach == DeviceReach.window.name
    self.init(
      name: place.name,
      type: wanted.typeName,
      slot: place.index,
      registers: Plan.Region(name: "virtio-mmio", place.registers),
      interrupt: place.interrupt,
      window: isPresent ? Plan.Region(name: window.name, window.range) : nil,
      reach: reach,
      part: wanted.kind.value.plan(place, checked)
    )
  }
}
