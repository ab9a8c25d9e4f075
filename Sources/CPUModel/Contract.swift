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
    switch id.rawValue >> 16 & 0xFFF {
    case 0x10: return Row(id, "", .state)
    case 0x11: return Row(id, "", .geometry, why: caches)
    case 0x13: return systemRow(id)
    case 0x14: return Row(id, "", .level)
    case 0x15:
      let mask: UInt64 = id == .vectorLengths ? 0 : .max
      return Row(id, "", id == .vectorLengths ? .id : .stateOfFeature, mask: mask, feature: .vectors)
    case 0x16: return Row(id, "", .bitmap)
    default: return nil
    }
  }

  private static func systemRow(_ id: RegisterID) -> Row? {
    if let row = row(inTable: id) { return row }
    if IDRegisters.isReserved(id) { return Row(id, "", .id) }
    // DBGBVR<n>, DBGBCR<n>, DBGWVR<n> and DBGWCR<n>.
    if id.rawValue & 0xFF84 == 0x8004 { return Row(id, "", .state) }
    // PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0; the last of these is PMCCFILTR_EL0.
    if id.rawValue & 0xFFC0 == 0xDF40 { return Row(id, "", .stateOfFeature, feature: .monitors) }
    return nil
  }

  /// The table is in the order of the ids.
  private static func row(inTable id: RegisterID) -> Row? {
    var low = 0
    var high = table.count
    while low < high {
      let middle = (low + high) / 2
      if table[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low < table.count && table[low].id == id ? table[low] : nil
  }

  /// The registers of a vCPU that the contract does not know: a snapshot of a machine whose model is not `host` is
  /// refused by their names.
  package static func unknown(in ids: [RegisterID]) -> [RegisterID] { ids.filter { row($0) == nil } }

  static let caches = """
    it describes caches; KVM carries out a guest's cache maintenance by set and way on all of the guest's memory, whatever \
    they look like
    """
}
