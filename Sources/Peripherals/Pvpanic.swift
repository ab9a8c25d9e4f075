/// The pvpanic device on a page of registers (`qemu,pvpanic-mmio`): one byte by which a guest says how it fares.
///
/// A read gives the events that the device knows; a write reports the events whose bits are set (QEMU,
/// docs/specs/pvpanic.rst). It has no interrupt.
public struct Pvpanic: RegisterBlock {
  public static var size: UInt64 { 0x1000 }

  /// The events, as the bits of the register.
  public struct Events: OptionSet, Hashable, Sendable, Codable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The guest's kernel panicked.
    public static let panicked = Events(rawValue: 1 << 0)
    /// The guest's kernel panicked and has loaded a kernel that writes the dump; it will go on.
    public static let crashLoaded = Events(rawValue: 1 << 1)
    /// The guest shut down in order.
    public static let shutdown = Events(rawValue: 1 << 2)

    /// All that this device knows.
    public static let all: Events = [.panicked, .crashLoaded, .shutdown]
  }

  /// All that the guest can observe, and what it reported.
  public struct State: Equatable, Sendable, Codable {
    /// What a read gives.
    public var supported: Events
    /// All that was reported since reset.
    public var reported: Events = []

    public init(supported: Events = .all) {
      self.supported = supported
    }
  }

  /// What a snapshot has to keep.
  public private(set) var state: State

  public var events = RegisterEvents()

  /// - Parameter supported: the events that the guest is told of; others are ignored when it reports them.
  public init(supported: Events = .all) {
    state = State(supported: supported)
  }

  /// A device that goes on from `state`, which may come from anywhere: events that are not known are dropped.
  public init(state: State) {
    self.state = state
    self.state.supported.formIntersection(.all)
    self.state.reported.formIntersection(self.state.supported)
  }

  /// All that the guest has reported.
  public var reported: Events { state.reported }

  public mutating func read(at offset: UInt64, width: Int) -> UInt64 {
    guard offset == 0 else {
      events.record(.unknownOffset, at: offset, width: width)
      return 0
    }
    if width != 1 { events.record(.unsupportedWidth, at: offset, width: width) }
    return UInt64(state.supported.rawValue)
  }

  public mutating func write(_ value: UInt64, at offset: UInt64, width: Int) {
    guard offset == 0 else {
      events.record(.unknownOffset, at: offset, width: width, written: value)
      return
    }
    if width != 1 { events.record(.unsupportedWidth, at: offset, width: width, written: value) }
    let written = Events(rawValue: UInt8(truncatingIfNeeded: value))
    if !written.isSubset(of: state.supported) {
      events.record(.unsupportedValue, at: offset, width: width, written: value)
    }
    state.reported.formUnion(written.intersection(state.supported))
  }
}
