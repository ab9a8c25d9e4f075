internal import Synchronization

/// A device's configuration space (virtio 1.3, 2.5): read by vCPUs, changed by the device thread.
///
/// The lock is held for a few instructions and never on a queue's path. A change of several fields is one step of the
/// generation, so a driver that reads the generation before and after never mixes two states.
public final class ConfigurationSpace: Sendable {
  private struct Content: Sendable {
    var bytes: [UInt8]
    var generation: UInt32 = 0
    /// Of the bytes that a driver read last.
    var readGeneration: UInt32 = 0
  }

  /// In bytes; at most 256, which is what the registers of a device leave room for.
  public let size: Int
  private let content: Mutex<Content>
  /// The field that a driver may write: no device has two.
  private let writable: (start: Int, end: Int)

  /// - Parameters:
  ///   - bytes: little-endian, as the device type's specification lays them out.
  ///   - writableOffset: of the field that a driver may write.
  ///   - writableCount: its bytes, or 0 where a driver may write none.
  public init(_ bytes: [UInt8], writableAt writableOffset: Int = 0, count writableCount: Int = 0) {
    precondition(bytes.count <= 256, "the registers leave room for 256 bytes")
    size = bytes.count
    content = Mutex(Content(bytes: bytes))
    writable = (writableOffset, writableOffset + writableCount)
  }

  /// The field that a driver may write, in bytes; empty where there is none.
  package var writableField: Range<Int> { writable.start..<writable.end }

  /// Changes with every change of the device's.
  public var generation: UInt32 { content.withLock { $0.generation } }

  /// Whether a driver has read something since the device's last change.
  public var isRead: Bool { content.withLock { $0.readGeneration == $0.generation } }

  /// All bytes, at one moment.
  public var bytes: [UInt8] { content.withLock { $0.bytes } }

  /// - Precondition: the field lies inside.
  public func load<Value: FixedWidthInteger & Sendable>(_ offset: Int, as type: Value.Type) -> Value {
    // In a loop of its own, as in read and store: what works for any sequence asks the runtime what a range is, which
    // costs more than a device's start.
    content.withLock { content in
      var value: UInt64 = 0
      for index in 0..<MemoryLayout<Value>.size { value |= UInt64(content.bytes[offset + index]) << UInt64(8 * index) }
      return Value(truncatingIfNeeded: value)
    }
  }

  /// Changes fields of the device's, in one step.
  ///
  /// - Parameter body: gets the bytes; their number stays the same.
  public func change(_ body: (inout [UInt8]) -> Void) {
    content.withLock { content in
      body(&content.bytes)
      precondition(content.bytes.count == size, "a configuration space keeps its size")
      content.generation &+= 1
    }
  }

  /// `nil`: not inside.
  func read(_ offset: Int, width: Int) -> UInt64? {
    guard offset + width <= size else { return nil }
    return content.withLock { content in
      content.readGeneration = content.generation
      var value: UInt64 = 0
      for index in 0..<width { value |= UInt64(content.bytes[offset + index]) << UInt64(8 * index) }
      return value
    }
  }

  /// A driver's write. `nil`: done.
  func write(_ offset: Int, width: Int, value: UInt64) -> DriverFault? {
    guard offset + width <= size else { return .configurationOutOfRange }
    guard writable.start <= offset, offset + width <= writable.end else { return .configurationReadOnly }
    content.withLock { content in
      for index in 0..<width {
        content.bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
      }
    }
    return nil
  }

  func restore(_ bytes: [UInt8], generation: UInt32) {
    content.withLock { $0 = Content(bytes: bytes, generation: generation, readGeneration: generation) }
  }
}

extension [UInt8] {
  /// Puts a little-endian number at `offset`.
  public mutating func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
    for index in 0..<MemoryLayout<Value>.size {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> Value(8 * index))
    }
  }
}
