/// One access by which a guest did something that the device does not do.
public struct RegisterEvent: Equatable, Sendable {
  /// What the device does not do.
  public enum Kind: UInt8, CaseIterable, Sendable {
    /// No register begins at the offset.
    case unknownOffset
    /// The register exists, but not for accesses of this width. The access was carried out as if it had the right one.
    case unsupportedWidth
    /// The register can only be written; the read gave 0.
    case readOfWriteOnly
    /// The register can only be read; the write changed nothing.
    case writeToReadOnly
    /// The value asks for something that the device does not have.
    case unsupportedValue
    /// The transmitter or the whole device was not enabled. The character was transmitted nevertheless.
    case transmitterDisabled
    /// A FIFO was full, and the guest, which could have known, lost a character.
    case characterLost
  }

  /// What was wrong with the access, which was answered all the same.
  public let kind: Kind
  /// From the start of the register block, in bytes.
  public let offset: UInt64
  /// Of the access, in bytes.
  public let width: Int
  /// What was written, or `nil` for a read.
  public let written: UInt64?
}

/// How often a guest did something wrong with a register block, and the last such access.
public struct RegisterEvents: Equatable, Sendable {
  /// The most recent event, or `nil` if there was none.
  public private(set) var last: RegisterEvent?

  private var counts = SIMD8<UInt64>(repeating: 0)

  public init() {}

  /// How many events of the kind there were.
  public func count(of kind: RegisterEvent.Kind) -> UInt64 { counts[Int(kind.rawValue)] }

  /// How many events there were in all.
  public var total: UInt64 { counts.wrappedSum() }

  /// Whether there was none.
  public var isEmpty: Bool { last == nil }

  @inline(never)
  mutating func record(_ kind: RegisterEvent.Kind, at offset: UInt64, width: Int, written: UInt64? = nil) {
    counts[Int(kind.rawValue)] &+= 1
    last = RegisterEvent(kind: kind, offset: offset, width: width, written: written)
  }
}
