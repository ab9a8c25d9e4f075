package import KVM

/// Registers of one vCPU with what they hold, in the order in which KVM lists them.
package struct RegisterSet: Equatable, Sendable {
  /// The registers.
  package private(set) var ids: [RegisterID] = []
  /// What they hold, little-endian, each at ``place(at:)``.
  package private(set) var bytes: [UInt8] = []
  /// Where in ``bytes`` each register starts.
  private var starts: [Int] = []
  /// The numbers of the registers by their ids, for looking them up.
  private var order: [Int] = []

  /// No register.
  package init() {}

  /// The registers of ``KVM/VirtualCPU/savedRegisters()``, or of a file that has them: of each its id in eight bytes,
  /// little-endian, and its own bytes.
  ///
  /// - Returns: nil where that is not what the bytes are: cut off, of another processor, or with a register twice.
  package init?(saved stream: [UInt8]) {
    bytes = stream
    var ids: [RegisterID] = []
    var starts: [Int] = []
    // Most have eight bytes behind the eight of their ids.
    ids.reserveCapacity(stream.count / 16)
    starts.reserveCapacity(stream.count / 16)
    var place = 0
    while place < stream.count {
      guard stream.count - place >= 8 else { return nil }
      let raw = Self.word(stream, at: place)
      let id = RegisterID(rawValue: raw)
      place += 8
      guard raw >> 56 == 0x60, id.size <= 256, stream.count - place >= id.size else { return nil }
      ids.append(id)
      starts.append(place)
      place += id.size
    }
    // KVM lists them in a few ascending pieces, which this sort takes as they are.
    let order = ids.indices.sorted { ids[$0] < ids[$1] }
    for number in order.indices.dropFirst() where ids[order[number]] == ids[order[number - 1]] { return nil }
    self.ids = ids
    self.starts = starts
    self.order = order
  }

  /// Eight bytes, the lowest first, which are there.
  private static func word(_ stream: [UInt8], at place: Int) -> UInt64 {
    precondition(place >= 0 && stream.count - place >= 8, "eight bytes are there")
    // SAFETY: the bytes are there, as was checked, and hold for the call.
    return unsafe stream.withUnsafeBytes {
      unsafe UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt64.self))
    }
  }

  /// The registers' numbers in ``ids``, in the order of the ids.
  var ascending: [Int] { order }

  /// Makes room, so that adding allocates nothing.
  package mutating func reserveCapacity(_ count: Int) {
    ids.reserveCapacity(count)
    starts.reserveCapacity(count)
    order.reserveCapacity(count)
    bytes.reserveCapacity(count * 32)
  }

  /// Adds a register of 64 bits or fewer.
  ///
  /// - Parameter value: bits beyond the register's size are dropped.
  package mutating func append(_ id: RegisterID, _ value: UInt64) {
    precondition(id.size <= 8, "a register of more than 64 bits does not fit")
    begin(id, at: bytes.count)
    for index in 0..<id.size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
  }

  /// Adds a register of any size.
  ///
  /// - Parameter content: as many bytes as the register has.
  package mutating func append(_ id: RegisterID, bytes content: some Collection<UInt8>) {
    precondition(content.count == id.size, "a register has as many bytes as its id says")
    begin(id, at: bytes.count)
    bytes.append(contentsOf: content)
  }

  private mutating func begin(_ id: RegisterID, at start: Int) {
    // KVM lists most of them in ascending order, so that the place is near the end.
    var place = order.count
    while place > 0, ids[order[place - 1]] >= id {
      precondition(ids[order[place - 1]] != id, "a register is there once")
      place -= 1
    }
    order.insert(ids.count, at: place)
    ids.append(id)
    starts.append(start)
  }

  /// The register's number in ``ids``, or nil.
  package func index(of id: RegisterID) -> Int? {
    var low = 0
    var high = order.count
    while low < high {
      let middle = (low + high) / 2
      if ids[order[middle]] < id { low = middle + 1 } else { high = middle }
    }
    return low < order.count && ids[order[low]] == id ? order[low] : nil
  }

  /// Whether the register is there.
  package func contains(_ id: RegisterID) -> Bool { index(of: id) != nil }

  /// Where in ``bytes`` a register's content is.
  package func place(at index: Int) -> Range<Int> { starts[index]..<starts[index] + ids[index].size }

  /// All of what a register holds; nil where it is none of these.
  package func content(of id: RegisterID) -> ArraySlice<UInt8>? { index(of: id).map { bytes[place(at: $0)] } }

  /// What a register holds: its lowest 64 bits.
  package func value(at index: Int) -> UInt64 {
    let start = starts[index]
    var value: UInt64 = 0
    for byte in 0..<min(8, ids[index].size) { value |= UInt64(bytes[start + byte]) << UInt64(8 * byte) }
    return value
  }

  /// What the register of that id holds, its lowest 64 bits, or nil.
  package func value(of id: RegisterID) -> UInt64? { index(of: id).map { value(at: $0) } }
}
