package import Virtio

/// What a device's process says of the device, first of all.
package struct MessageHello: Equatable, Sendable {
  /// The device type's number.
  package var identifier: UInt32
  /// The device type's own features: bits 0 to 23 and 50 to 63. Those of the queues are each side's own matter.
  package var features: VirtioFeatures
  /// Of each queue, in descriptors.
  package var queueSizes: [UInt16]
  /// The configuration space.
  package var configuration: [UInt8]
  /// The field of it that a driver may write, in bytes.
  package var writable: Range<Int>
  /// In what steps what is out is counted, in bytes: a chain's bytes to read and to write are rounded up to it, each.
  package var granule: Int
  /// How many bytes may be out.
  package var credit: Int

  /// The bits of a device type.
  package static let typeFeatures = VirtioFeatures(rawValue: 0xFFFC_0000_00FF_FFFF)

  package init(
    identifier: UInt32,
    features: VirtioFeatures,
    queueSizes: [UInt16],
    configuration: [UInt8],
    writable: Range<Int>,
    granule: Int,
    credit: Int
  ) {
    self.identifier = identifier
    self.features = features.intersection(Self.typeFeatures)
    self.queueSizes = queueSizes
    self.configuration = configuration
    self.writable = writable
    self.granule = granule
    self.credit = credit
  }

  /// As a frame's body.
  package var body: [UInt8] {
    var body: [UInt8] = []
    body.append(number: MessageWire.version)
    body.append(number: identifier)
    body.append(number: features.rawValue)
    body.append(number: UInt32(granule))
    body.append(number: UInt32(credit))
    body.append(number: UInt16(queueSizes.count))
    body.append(number: UInt16(configuration.count))
    body.append(number: UInt16(writable.lowerBound))
    body.append(number: UInt16(writable.count))
    for size in queueSizes { body.append(number: size) }
    return body + configuration
  }

  /// - Throws: ``MessageFault`` for what no device can be.
  package init(body: [UInt8]) throws(MessageFault) {
    var reader = BodyReader(body)
    let version = try reader.number(UInt32.self)
    guard version == MessageWire.version else { throw .version(version) }
    identifier = try reader.number(UInt32.self)
    features = VirtioFeatures(rawValue: try reader.number(UInt64.self)).intersection(Self.typeFeatures)
    granule = Int(try reader.number(UInt32.self))
    credit = min(Int(try reader.number(UInt32.self)), MessageWire.creditLimit)
    let queueCount = Int(try reader.number(UInt16.self))
    let size = Int(try reader.number(UInt16.self))
    let start = Int(try reader.number(UInt16.self))
    let count = Int(try reader.number(UInt16.self))
    guard (1...64).contains(queueCount) else { throw .badDevice("\(queueCount) queues") }
    guard size <= 256, start + count <= size else { throw .badDevice("a configuration space of \(size) bytes") }
    writable = start..<start + count
    guard 512...MessageWire.dataLimit ~= granule, granule.nonzeroBitCount == 1, credit >= 2 * granule else {
      throw .badDevice("a credit of \(credit) bytes in steps of \(granule)")
    }
    queueSizes = []
    for _ in 0..<queueCount {
      let size = try reader.number(UInt16.self)
      guard size.nonzeroBitCount == 1, size <= 1024 else { throw .badDevice("a queue of \(size) descriptors") }
      queueSizes.append(size)
    }
    configuration = try reader.take(size)
    try reader.end()
  }

  /// Granules that a chain takes: of what it has to read and what it has to write.
  func cost(readable: Int, writable: Int) -> Int {
    (readable + granule - 1) / granule + (writable + granule - 1) / granule
  }

  /// What of the configuration space is the device's alone.
  func fixed(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for index in writable { bytes[index] = 0 }
    return bytes
  }

  /// What another process's device has that is not as this one's was; `nil`: a driver notices nothing.
  ///
  /// - Parameter present: the configuration space as the driver knows it.
  func difference(to other: MessageHello, present: [UInt8]) -> String? {
    if other.identifier != identifier { return "it is of another type" }
    if other.features != features { return "it has other features (\(other.features), not \(features))" }
    if other.queueSizes != queueSizes { return "it has other queues" }
    if other.writable != writable || other.configuration.count != configuration.count
      || fixed(other.configuration) != fixed(present)
    {
      return "its configuration space is another one"
    }
    if other.granule != granule || other.credit < credit { return "it grants less" }
    return nil
  }
}

extension MessageHello {
  /// What is wrong with the device, where its type is known: a driver would believe it.
  ///
  /// - Throws: ``MessageFault/badDevice(_:)``.
  package func check(_ expected: VirtioDeviceIdentifier) throws(MessageFault) {
    guard identifier == expected.rawValue else {
      throw .badDevice("it is of the type \(identifier), not \(expected.rawValue)")
    }
    switch expected {
    case .block: try checkBlock()
    case .entropy: try check(features: [], size: 0, queues: 1...1)
    case .scmi: try check(features: VirtioFeatures(rawValue: 3), size: 0, queues: 1...2)
    default: throw .badDevice("devices of the type \(expected.rawValue) are not driven by messages")
    }
  }

  private func check(
    features known: VirtioFeatures,
    size: Int,
    queues: ClosedRange<Int>
  ) throws(MessageFault) {
    let unknown = features.subtracting(known)
    guard unknown.isEmpty else { throw .badDevice("features \(unknown) are not known for its type") }
    guard configuration.count >= size else { throw .badDevice("a configuration space of \(configuration.count) bytes") }
    guard queues ~= queueSizes.count else { throw .badDevice("\(queueSizes.count) queues") }
  }

  /// Virtio 1.3, 5.2.3 and 5.2.4.
  private func checkBlock() throws(MessageFault) {
    let known: [Int] = [1, 2, 5, 6, 9, 10, 11, 12, 13, 14]
    try check(
      features: known.reduce(VirtioFeatures()) { $0.union(VirtioFeatures(bit: $1)) },
      size: 60,
      queues: 1...16
    )
    var reader = BodyReader(configuration)
    let capacity = try reader.number(UInt64.self)
    guard capacity <= 1 << 54 else { throw .badDevice("a disk of \(capacity) sectors") }
    let (largest, most) = (try reader.number(UInt32.self), try reader.number(UInt32.self))
    if features.contains(VirtioFeatures(bit: 1)), largest < 4096 {
      throw .badDevice("segments of \(largest) bytes at most")
    }
    if features.contains(VirtioFeatures(bit: 2)), !(1...1022 ~= most) { throw .badDevice("\(most) segments at most") }
    _ = try reader.number(UInt32.self)
    let block = try reader.number(UInt32.self)
    if features.contains(VirtioFeatures(bit: 6)), !(512...65536 ~= block && block.nonzeroBitCount == 1) {
      throw .badDevice("blocks of \(block) bytes")
    }
    guard queueSizes.allSatisfy({ $0 >= 4 }) else { throw .badDevice("a queue of fewer than 4 descriptors") }
  }
}
