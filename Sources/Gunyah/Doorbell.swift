/// A doorbell: 64 flags that one machine sets and another one reads, and an interrupt.
///
/// Gunyah Hypervisor API, "Doorbell". One thread at a time: whoever shares it holds a lock.
public struct Doorbell: Equatable, Sendable {
  /// What kind of interrupt the receiver's is.
  public enum Trigger: Equatable, Sendable {
    /// Each send is an interrupt, masked or not.
    case edge
    /// There is an interrupt while a flag is set that is enabled; the end of an interrupt asks again
    /// (``Doorbell/isAsserted``).
    case level
  }

  /// What is to be done with the receiver's interrupt.
  public enum Line: Equatable, Sendable {
    case unchanged
    /// An edge; of an edge-triggered doorbell only.
    case pulse
    /// The line goes up or stays up; of a level-triggered doorbell only. The next end of an interrupt takes it down
    /// unless it ``Doorbell/isAsserted``.
    case raise
    /// The line goes down or stays down; of a level-triggered doorbell only: an edge that was given stays given.
    case lower
  }

  /// What a send comes to.
  public struct Sent: Equatable, Sendable {
    /// The flags that were set before.
    public var oldFlags: UInt64
    /// What is to be done with the receiver's interrupt now.
    public var line: Line

    public init(oldFlags: UInt64, line: Line) {
      self.oldFlags = oldFlags
      self.line = line
    }
  }

  /// What kind of interrupt the receiver's is, from the start to the end.
  public let trigger: Trigger
  /// What was sent and neither received nor acknowledged.
  public private(set) var flags: UInt64 = 0
  /// The flags that interrupt.
  public private(set) var enableMask: UInt64 = ~0
  /// The flags that are cleared by interrupting.
  public private(set) var acknowledgeMask: UInt64 = 0

  public init(trigger: Trigger) {
    self.trigger = trigger
  }

  /// Whether a level-triggered doorbell's line is to be up, asked at the end of an interrupt. A receive leaves the line
  /// alone, so this is where it goes down.
  public var isAsserted: Bool { flags & enableMask != 0 }

  /// Sets flags.
  ///
  /// - Throws: ``GunyahError/argumentInvalid`` where there is none to set.
  public mutating func send(_ newFlags: UInt64) throws(GunyahError) -> Sent {
    guard newFlags != 0 else { throw .argumentInvalid }
    let oldFlags = flags
    flags |= newFlags
    let line: Line =
      switch trigger {
      case .edge: .pulse
      case .level: isAsserted ? .raise : .unchanged
      }
    if isAsserted { flags &= ~acknowledgeMask }
    return Sent(oldFlags: oldFlags, line: line)
  }

  /// Clears flags.
  ///
  /// - Returns: the flags that were set before.
  /// - Throws: ``GunyahError/argumentInvalid`` where there is none to clear.
  public mutating func receive(clearing clearFlags: UInt64) throws(GunyahError) -> UInt64 {
    guard clearFlags != 0 else { throw .argumentInvalid }
    defer { flags &= ~clearFlags }
    return flags
  }

  /// Sets which flags interrupt, and which are cleared by that. Flags that are set and enabled now interrupt.
  public mutating func mask(enable: UInt64, acknowledge: UInt64) -> Line {
    let wasAsserted = isAsserted
    enableMask = enable
    acknowledgeMask = acknowledge
    guard isAsserted else { return wasAsserted && trigger == .level ? .lower : .unchanged }
    flags &= ~acknowledge
    guard !wasAsserted else { return .unchanged }
    return trigger == .edge ? .pulse : .raise
  }

  /// Puts everything back to what it is in a new doorbell.
  public mutating func reset() -> Line {
    self = Doorbell(trigger: trigger)
    return trigger == .level ? .lower : .unchanged
  }
}
