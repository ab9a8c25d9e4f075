package import KVM

/// One field of an ID register: where it is and what it means for one value to be less than another.
package struct IDField: Equatable, Sendable {
  /// What may become of a field whose value a guest was promised.
  package enum Order: Equatable, Sendable {
    /// The larger, the more: a guest that was promised less may run where there is more.
    case unsigned
    /// The same with a sign: all ones is -1, "not there".
    case signed
    /// Like unsigned, but that all ones is below zero and means "not of the architecture's kind": performance monitors.
    case vendor
    /// Values have no order: another one is another thing.
    case exact
  }

  /// The name in the architecture's manual.
  package let name: String
  /// The number of its lowest bit.
  package let shift: UInt64
  /// How many bits.
  package let width: UInt64
  /// How its values compare.
  package let order: Order
  /// Why it does not matter to a guest that the value is another one, where it does not.
  package let harmless: String?

  /// A field of `width` bits at bit `shift`.
  package init(_ name: String, _ shift: UInt64, _ order: Order = .unsigned, width: UInt64 = 4, harmless: String? = nil)
  {
    self.name = name
    self.shift = shift
    self.width = width
    self.order = order
    self.harmless = harmless
  }

  /// The largest value that fits, a number of the field and not of the register.
  package var limit: UInt64 { width == 64 ? .max : 1 << width - 1 }

  /// The field's bits.
  package var mask: UInt64 { limit << shift }

  /// The value that says "not there".
  package var absent: UInt64 {
    switch order {
    case .signed: limit
    case .unsigned, .vendor, .exact: 0
    }
  }

  /// The field's value in a register.
  package func value(in register: UInt64) -> UInt64 { register >> shift & limit }

  /// A register with another value of the field.
  package func replacing(in register: UInt64, with value: UInt64) -> UInt64 {
    register & ~mask | (value & limit) << shift
  }

  /// Where the value is among the others; `nil` where they have no order.
  private func rank(_ value: UInt64) -> Int? {
    switch order {
    case .unsigned: Int(truncatingIfNeeded: value)
    case .signed: value > limit / 2 ? Int(value) - Int(limit) - 1 : Int(value)
    case .vendor: value == limit ? -1 : Int(value)
    case .exact: nil
    }
  }

  /// Whether a guest that was promised `wanted` finds all of it where there is `given`.
  package func isCovered(_ wanted: UInt64, by given: UInt64) -> Bool {
    guard wanted != given else { return true }
    guard let wanted = rank(wanted), let given = rank(given) else { return false }
    return wanted <= given
  }

  /// What both have.
  package func minimum(_ one: UInt64, _ other: UInt64) -> UInt64 {
    if one == other { return one }
    // Neither is a part of the other; "not there" is a part of both.
    guard let first = rank(one), let second = rank(other) else { return absent }
    return first < second ? one : other
  }
}

/// An ID register with the fields that this table knows.
package struct IDRegister: Equatable, Sendable {
  /// The name in the architecture's manual.
  package let name: String
  /// KVM's id.
  package let id: RegisterID
  /// The fields from the lowest bits on.
  package let fields: [IDField]

  init(_ name: String, _ crm: UInt64, _ op2: UInt64, _ fields: [IDField]) {
    self.init(name, .system(3, 0, 0, crm, op2), fields)
  }

  init(_ name: String, _ id: RegisterID, _ fields: [IDField]) {
    self.name = name
    self.id = id
    self.fields = fields
  }

  /// The field of that name.
  package func field(_ name: String) -> IDField? { fields.first { $0.name == name } }

  /// Every bit with the field that it belongs to: those that the table knows, and one of four bits for what lies
  /// between them in a register that is not zero there.
  package func parts(of value: UInt64) -> [IDField] {
    var known: UInt64 = 0
    for field in fields { known |= field.mask }
    var rest = value & ~known
    guard rest != 0 else { return fields }
    var parts = fields
    while rest != 0 {
      let shift = UInt64(rest.trailingZeroBitCount) & ~3
      // Bits of a nibble that a known field has are that one's.
      var part = UInt64(0xF) << shift & ~known
      while part != 0 {
        let start = UInt64(part.trailingZeroBitCount)
        let width = UInt64((~(part >> start)).trailingZeroBitCount)
        parts.append(IDField("bits \(start + width - 1):\(start)", start, width: width))
        part &= ~((1 << width - 1) << start)
      }
      rest &= ~(0xF << shift)
    }
    return parts
  }
}

/// The architecture's ID registers as far as a guest at EL1 can read them.
package enum IDRegisters {
  /// All that the table knows.
  package static let all: [IDRegister] = wide + narrow + others

  /// The register with that id.
  ///
  /// - Returns: nil where it is none of the architecture's ID registers. One that the table has no name for has its
  ///   encoding as its name, and no field.
  package static func register(_ id: RegisterID) -> IDRegister? {
    if let known = all.first(where: { $0.id == id }) { return known }
    return isReserved(id) ? IDRegister(SystemRegisters.encodingName(id), id, []) : nil
  }

  /// The register of that name.
  package static func register(named name: String) -> IDRegister? {
    if let known = all.first(where: { $0.name == name }) { return known }
    for crm: UInt64 in 1...7 {
      for op2: UInt64 in 0...7 {
        let id = RegisterID.system(3, 0, 0, crm, op2)
        if SystemRegisters.encodingName(id) == name, !all.contains(where: { $0.id == id }) {
          return IDRegister(name, id, [])
        }
      }
    }
    return nil
  }

  /// Whether it is one of the 56 registers that the architecture keeps for features: CRm 1 to 7 of op0 3, op1 0, CRn 0.
  package static func isReserved(_ id: RegisterID) -> Bool {
    let first = RegisterID.system(3, 0, 0, 1, 0).rawValue
    return id.rawValue >= first && id.rawValue <= first + 55
  }
}
