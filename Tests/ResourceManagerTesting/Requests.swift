public import Gunyah

/// A payload, little-endian.
public struct Payload {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  public func adding<Value: FixedWidthInteger>(_ values: Value...) -> Payload {
    var result = self
    for value in values {
      for index in 0..<MemoryLayout<Value>.size {
        result.bytes.append(UInt8(truncatingIfNeeded: value >> Value(8 * index)))
      }
    }
    return result
  }

  /// The number at an offset, 0 behind the end.
  public static func number<Value: FixedWidthInteger>(_ bytes: [UInt8], at offset: Int) -> Value {
    bytes.dropFirst(offset).prefix(MemoryLayout<Value>.size).reversed().reduce(0) {
      $0 << 8 | Value(truncatingIfNeeded: $1)
    }
  }
}

/// Payloads of requests, as clients write them.
public enum Request {
  /// A machine's number and nothing.
  public static func machine(_ machine: VMID) -> [UInt8] {
    Payload().adding(machine.rawValue, 0).bytes
  }

  public static func configure(
    _ machine: VMID,
    authentication: UInt16 = 0,
    handle: UInt32,
    image: PageRange = PageRange(start: 0, size: 0x1000),
    deviceTree: PageRange = PageRange(start: 0x1000, size: 0x1000)
  ) -> [UInt8] {
    Payload().adding(machine.rawValue, authentication).adding(handle)
      .adding(image.start, image.size, deviceTree.start, deviceTree.size).bytes
  }

  public static func authenticate(_ machine: VMID) -> [UInt8] {
    Payload().adding(machine.rawValue, 0).bytes
  }

  public static func stop(_ machine: VMID, force: Bool, reason: UInt32 = 0) -> [UInt8] {
    Payload().adding(machine.rawValue).adding(UInt8(force ? 1 : 0), 0).adding(reason).bytes
  }

  public static func firmware(_ machine: VMID) -> [UInt8] {
    Payload().adding(machine.rawValue, 0).adding(UInt32(1)).adding(UInt64(0), 0x1000).bytes
  }

  public static func parcel(
    _ access: [(VMID, MemoryRights)],
    _ ranges: [(UInt64, UInt64)],
    attributes: [(UInt16, VMID)] = [],
    kind: UInt8 = 0,
    flags: UInt8 = 0,
    label: UInt32 = 0
  ) -> [UInt8] {
    var payload = Payload().adding(kind, 0, flags, 0).adding(label).adding(UInt16(access.count), 0)
    for (machine, rights) in access { payload = payload.adding(machine.rawValue).adding(rights.rawValue, 0) }
    payload = payload.adding(UInt16(ranges.count), 0)
    for (start, size) in ranges { payload = payload.adding(start, size) }
    payload = payload.adding(UInt16(attributes.count), 0)
    for (value, machine) in attributes { payload = payload.adding(value, machine.rawValue) }
    return payload.bytes
  }

  public static func append(_ handle: UInt32, isDone: Bool, _ ranges: [(UInt64, UInt64)]) -> [UInt8] {
    var payload = Payload().adding(handle).adding(UInt8(isDone ? 1 : 0), 0, 0, 0).adding(UInt16(ranges.count), 0)
    for (start, size) in ranges { payload = payload.adding(start, size) }
    return payload.bytes
  }

  /// - Parameters:
  ///   - transfer: 0 for a donation, 1 for a loan, 2 for shared memory.
  ///   - flags: as the specification has them; 128 is done.
  public static func accept(
    _ handle: UInt32,
    transfer: UInt8 = 1,
    flags: UInt8 = 128,
    label: UInt32 = 0,
    kind: UInt8 = 0,
    access: [(VMID, MemoryRights)] = [],
    ranges: [(UInt64, UInt64)] = [],
    mapped: UInt16 = 0,
    attributes: [(UInt16, VMID)] = []
  ) -> [UInt8] {
    var payload = Payload().adding(handle).adding(kind, transfer, flags, 0).adding(label)
    payload = payload.adding(UInt16(access.count), 0)
    for (machine, rights) in access { payload = payload.adding(machine.rawValue).adding(rights.rawValue, 0) }
    payload = payload.adding(UInt16(ranges.count), mapped)
    for (start, size) in ranges { payload = payload.adding(start, size) }
    payload = payload.adding(UInt16(attributes.count), 0)
    for (value, machine) in attributes { payload = payload.adding(value, machine.rawValue) }
    return payload.bytes
  }

  /// RELEASE and RECLAIM.
  public static func handle(_ handle: UInt32, flags: UInt8 = 0) -> [UInt8] {
    Payload().adding(handle).adding(flags, 0, 0, 0).bytes
  }

  public static func notify(_ handle: UInt32, _ kind: UInt8, tag: UInt32 = 0, to machines: [VMID]? = nil) -> [UInt8] {
    var payload = Payload().adding(handle).adding(kind, 0, 0, 0).adding(tag)
    if let machines {
      payload = payload.adding(UInt16(machines.count), 0)
      for machine in machines { payload = payload.adding(machine.rawValue, 0) }
    }
    return payload.bytes
  }

  public static func exit(flags: UInt16 = 0, code: UInt8 = 0) -> [UInt8] {
    Payload().adding(flags).adding(code, 0).bytes
  }

  public static func status(os: UInt8, application: UInt16) -> [UInt8] {
    Payload().adding(UInt8(0), os).adding(application).bytes
  }
}
