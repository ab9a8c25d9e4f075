package import KVM

/// Registers of one vCPU with what they hold, in the order in which KVM lists them.
package struct RegisterSet: Equatable, Sendable {
  /// The registers.
  package private(set) var ids: [RegisterID] = []
  /// What they hold, one after another, each of ``KVM/RegisterID/size`` bytes, little-endian.
  package private(set) var bytes: [UInt8] = []
  /// Where in ``bytes`` each register starts.
  private var starts: [Int] = []
  /// The numbers of the registers by their ids, for looking them up.
  private var order: [Int] = []

  /// No register.
  package init() {}

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
    begin(id)
    for index in 0..<id.size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
  }

  /// Adds a register of any size.
  ///
  /// - Parameter content: as many bytes as the register has.
  package mutating func append(_ id: RegisterID, bytes content: some Collection<UInt8>) {
    precondition(content.count == id.size, "a register has as many bytes as its id says")
    begin(id)
    bytes.append(contentsOf: content)
  }

  private mutating func begin(_ id: RegisterID) {
    // KVM lists most of them in ascending order, so that the place is near the end.
    var place = order.count
    while place > 0, ids[order[place - 1]] >= id {
      precondition(ids[order[place - 1]] != id, "a register is there once")
      place -= 1
    }
    order.insert(ids.count, at: place)
    ids.append(id)
    starts.append(bytes.count)
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

/// Which bits of ID registers this kernel lets a monitor change, from KVM_ARM_GET_REG_WRITABLE_MASKS.
package struct WritableMasks: Equatable, Sendable {
  /// 192 masks for op1 0, 1 and 3, in order of CRm and op2; or none.
  private let words: [UInt64]

  /// What the kernel told.
  ///
  /// - Parameter words: 192 of them.
  package init(words: [UInt64]) {
    precondition(words.count == 192, "KVM tells 192 masks")
    self.words = words
  }

  /// A kernel without KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES, before Linux 6.7: nothing but the two fields of
  /// ID_AA64PFR0_EL1 that tell of speculation, CSV2 and CSV3.
  package static let old: WritableMasks = {
    var words = [UInt64](repeating: 0, count: 192)
    words[4 << 3] = 0xFF << 56
    return WritableMasks(words: words)
  }()

  /// The writable bits of a register; 0 for one that is none of the ID registers.
  package func mask(of id: RegisterID) -> UInt64 {
    // op0 3, CRn 0 of the system registers.
    guard id.rawValue & ~0x387F == 0x6030_0000_0013_C000 else { return 0 }
    let op1 = Int(id.rawValue >> 11 & 7)
    guard op1 == 0 || op1 == 1 || op1 == 3 else { return 0 }
    return words[(op1 - (op1 == 3 ? 1 : 0)) << 6 | Int(id.rawValue & 0x3F)]
  }

  /// The same with other writable bits of one register: what a test alters.
  package func replacing(_ id: RegisterID, with mask: UInt64) -> WritableMasks {
    var words = words
    let op1 = Int(id.rawValue >> 11 & 7)
    words[(op1 - (op1 == 3 ? 1 : 0)) << 6 | Int(id.rawValue & 0x3F)] = mask
    return WritableMasks(words: words)
  }
}
