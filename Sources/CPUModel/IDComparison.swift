internal import KVM

/// What an ID register can be made to hold on this host, against what was promised.
///
/// KVM takes or refuses a register as a whole: fields that cannot be as promised are the host's in ``value``, and each
/// is either a reason to refuse or a harmless difference.
struct IDComparison {
  /// What to write.
  private(set) var value: UInt64
  /// Fields that do not matter, each with its reason.
  private(set) var accepted: [String] = []
  /// Fields that a guest would miss or see too much of.
  private(set) var refusals: [String] = []

  init(_ register: IDRegister, wanted: UInt64, given: UInt64, writable: UInt64, acceptsFixed: Bool) {
    value = wanted
    for part in register.parts(of: wanted | given) {
      let (promised, there) = (part.value(in: wanted), part.value(in: given))
      guard promised != there else { continue }
      let isCovered = part.isCovered(promised, by: there)
      let isWritable = writable & part.mask == part.mask
      if isCovered, isWritable { continue }
      value = part.replacing(in: value, with: there)
      let name = "\(register.name).\(part.name)"
      if let harmless = part.harmless {
        accepted.append("\(name) was \(promised) and is \(there): \(harmless)")
      } else if isCovered, acceptsFixed {
        accepted.append("\(name) was \(promised) and is \(there): this kernel fixes it")
      } else if isCovered {
        refusals.append("\(name) must be \(promised); this kernel fixes \(there)")
      } else {
        refusals.append("\(name) must be \(promised); this host has \(there)")
      }
    }
  }
}

extension RegisterID {
  /// MIDR_EL1, REVIDR_EL1 or AIDR_EL1: whose processor it is.
  var isImplementation: Bool {
    self == .system(3, 0, 0, 0, 0) || self == .system(3, 0, 0, 0, 6) || self == .system(3, 1, 0, 0, 7)
  }

  /// V0 to V31.
  var isVector: Bool { self >= .vector(0) && self <= .vector(31) }
}

extension UInt64 {
  /// Digits behind `0x`, as messages write registers.
  var hexadecimal: String { RegisterID(rawValue: self).description }
}
