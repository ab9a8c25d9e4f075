package import KVM

/// What a snapshot promises of each register, and where a host may differ.
///
/// A snapshot names the contract's version. A change of any row raises it.
package enum Contract {
  /// The version that this program writes.
  package static let version = 1
  /// The versions that it reads.
  package static let knownVersions = 1...1

  /// What becomes of a register when a machine comes back.
  package enum Kind: String, Equatable, Sendable {
    /// What the processor is: the same in every field that a guest can tell, or refused.
    case id
    /// What the guest changes: written as it was, and refused where there is no such register.
    case state
    /// The same of an optional part of the processor, which a host has as a whole or not at all.
    case stateOfFeature = "state-if-feature"
    /// A version or a level of protection: the host must have as much.
    case level
    /// A set of services: the host must have all of them, and others are taken away.
    case bitmap
    /// Where a host lacks it, nothing is lost if it holds what it holds after a reset, or if the guest cannot use it.
    case optional
    /// How caches are arranged: written where the kernel takes it.
    case geometry
    /// What another register says as well, or what is the host's own.
    case ignored
    /// A counter, which one write moves for the whole machine: ``RestorePlan/counter``.
    case time
  }

  /// An optional part of the processor.
  package enum Feature: String, CaseIterable, Equatable, Sendable {
    /// Performance monitors.
    case monitors = "performance monitors (PMU)"
    /// The scalable vector extension.
    case vectors = "scalable vectors (SVE)"
    /// Pointer authentication.
    case authentication = "pointer authentication"
    /// Memory tags.
    case tags = "memory tagging (MTE)"
  }

  /// One register of the contract.
  package struct Row: Equatable, Sendable {
    /// KVM's id.
    package let id: RegisterID
    /// The architecture's or the kernel's name.
    package let name: String
    /// What becomes of it.
    package let kind: Kind
    /// The bits that have to read back as they were written.
    package let mask: UInt64
    /// The contract's version that it came with.
    package let since: Int
    /// The part of the processor that it belongs to.
    package let feature: Feature?
    /// The field of an ID register that says whether a guest can use it, where one does.
    package let gate: (register: RegisterID, shift: UInt64)?
    /// Why, where a difference is accepted.
    package let why: String

    init(
      _ id: RegisterID,
      _ name: String,
      _ kind: Kind,
      mask: UInt64 = .max,
      feature: Feature? = nil,
      gate: (register: RegisterID, shift: UInt64)? = nil,
      why: String = ""
    ) {
      self.id = id
      self.name = name
      self.kind = kind
      self.mask = mask
      since = 1
      self.feature = feature
      self.gate = gate
      self.why = why
    }

    package static func == (left: Row, right: Row) -> Bool { left.id == right.id && left.kind == right.kind }
  }

  /// What the contract says of a register.
  ///
  /// - Returns: nil for a register that it does not know.
  package static func row(_ id: RegisterID) -> Row? {
    if let place = place(inTable: id) { return table[place] }
    guard let kind = kindBesideTable(id) else { return nil }
    return Row(
      id,
      "",
      kind,
      mask: id == .vectorLengths ? 0 : .max,
      feature: feature(id),
      why: kind == .geometry ? caches : ""
    )
  }

  /// What becomes of a register: the row's, without a copy of all that is in it.
  static func kind(_ id: RegisterID) -> Kind? {
    if let place = place(inTable: id) { return table[place].kind }
    return kindBesideTable(id)
  }

  /// The part of the processor that a register belongs to, in the same way.
  static func feature(_ id: RegisterID) -> Feature? {
    if let place = place(inTable: id) { return table[place].feature }
    switch kindBesideTable(id) {
    case .stateOfFeature: return id.rawValue >> 16 & 0xFFF == 0x15 ? .vectors : .monitors
    case .id: return id == .vectorLengths ? .vectors : nil
    default: return nil
    }
  }

  private static func kindBesideTable(_ id: RegisterID) -> Kind? {
    switch id.rawValue >> 16 & 0xFFF {
    case 0x10: return .state
    case 0x11: return .geometry
    case 0x13 where IDRegisters.isReserved(id): return .id
    // DBGBVR<n>, DBGBCR<n>, DBGWVR<n> and DBGWCR<n>.
    case 0x13 where id.rawValue & 0xFF84 == 0x8004: return .state
    // PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0; the last of these is PMCCFILTR_EL0.
    case 0x13 where id.rawValue & 0xFFC0 == 0xDF40: return .stateOfFeature
    case 0x14: return .level
    case 0x15: return id == .vectorLengths ? .id : .stateOfFeature
    case 0x16: return .bitmap
    default: return nil
    }
  }

  /// The table is in the order of the ids.
  private static func place(inTable id: RegisterID) -> Int? {
    guard id.rawValue >> 16 & 0xFFF == 0x13 else { return nil }
    var low = 0
    var high = table.count
    while low < high {
      let middle = (low + high) / 2
      if table[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low < table.count && table[low].id == id ? low : nil
  }

  /// The registers of a vCPU that the contract does not know: a snapshot of a machine whose model is not `host` is
  /// refused by their names.
  package static func unknown(in ids: [RegisterID]) -> [RegisterID] { ids.filter { kind($0) == nil } }

  static let caches = """
    it describes caches; KVM carries out a guest's cache maintenance by set and way on all of the guest's memory, whatever \
    they look like
    """
}
