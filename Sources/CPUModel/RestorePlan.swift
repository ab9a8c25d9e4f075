package import KVM

/// What to write into a new vCPU so that it goes on as a saved one, and what stands against it.
///
/// It asks for nothing and changes nothing: whoever restores reads the host's registers, makes the plan of each vCPU,
/// tells all refusals at once, and writes only where there are none.
package struct RestorePlan: Equatable, Sendable {
  /// One register to write.
  package struct Write: Equatable, Sendable {
    /// The register.
    package let id: RegisterID
    /// What to write to it.
    package let content: Content
    /// Whether a kernel that refuses the value is none that cannot be used: how caches are arranged.
    package let mayFail: Bool
  }

  /// What is written.
  package enum Content: Equatable, Sendable {
    /// A number, for a register of 64 bits or fewer.
    case value(UInt64)
    /// What the saved register holds: its place in ``RegisterSet/bytes``.
    case saved(Range<Int>)
  }

  /// A difference between what was saved and what the host has.
  package struct Difference: Equatable, Sendable, CustomStringConvertible {
    /// The register, the first of them where a whole part of the processor is concerned.
    package let id: RegisterID
    /// Names the register, its field, what is needed and what the host has; or why it does not matter.
    package let message: String

    package var description: String { message }
  }

  /// Differences that are refused unless somebody says that they do not matter.
  package struct Tolerance: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
      self.rawValue = rawValue
    }

    /// Another MIDR_EL1, REVIDR_EL1 and AIDR_EL1: the guest goes on with the workarounds for errata of the processor
    /// that it was started on.
    package static let otherProcessor = Tolerance(rawValue: 1 << 0)
    /// A field of which the host has more than was promised and cannot lower it: a guest that reads it again sees more
    /// than it saw. That is what ``ProcessorModel/showsFixedFields`` says of a start.
    package static let fixedFields = Tolerance(rawValue: 1 << 1)
  }

  /// The vCPU that is to go on, as it is after KVM_ARM_VCPU_INIT and KVM_ARM_VCPU_FINALIZE, with nothing written.
  package struct Target: Sendable {
    /// Every register that KVM lists.
    package var ids: [RegisterID]
    /// What those registers hold of which ``RestorePlan/needsValue(_:)`` says that the plan looks at it.
    package var values: RegisterSet
    /// Which bits of ID registers this kernel lets a monitor change.
    package var masks: WritableMasks
    /// Whether MIDR_EL1, REVIDR_EL1 and AIDR_EL1 can be written (KVM_CAP_ARM_WRITABLE_IMP_ID_REGS is enabled).
    package var canChangeImplementation: Bool

    /// A vCPU with what it lists and holds.
    package init(
      ids: [RegisterID],
      values: RegisterSet,
      masks: WritableMasks,
      canChangeImplementation: Bool = false
    ) {
      self.ids = ids
      self.values = values
      self.masks = masks
      self.canChangeImplementation = canChangeImplementation
    }
  }

  /// The writes in an order that KVM takes. Counters are not among them.
  package private(set) var writes: [Write] = []
  /// Differences that do not matter, with the reason of each.
  package private(set) var accepted: [Difference] = []
  /// Why the machine cannot go on here: all reasons. Empty where it can.
  package private(set) var refusals: [Difference] = []
  /// CNTVCT_EL0 as it was saved. Written once for the machine, on its first vCPU and as the last of all.
  package private(set) var counter: UInt64?
  /// CNTPCT_EL0 as it was saved, where the kernel told it.
  package private(set) var physicalCounter: UInt64?

  private var ranked: [[Write]] = Array(repeating: [], count: 8)

  /// Whether the plan has to know what the new vCPU's register holds.
  package static func needsValue(_ id: RegisterID) -> Bool {
    if id == .monitorControl { return true }
    switch Contract.kind(id) {
    case .id, .level, .bitmap, .geometry: return true
    default: return false
    }
  }

  /// Compares a saved vCPU with a new one.
  ///
  /// - Parameters:
  ///   - saved: all registers of the saved vCPU.
  ///   - target: the new one.
  ///   - tolerance: what is accepted beside the contract.
  package init(saved: RegisterSet, target: Target, accepting tolerance: Tolerance = Tolerance(rawValue: 0)) {
    let comparison = Comparison(saved: saved, target: target, tolerance: tolerance)
    var missing: [Contract.Feature] = []
    for index in saved.ids.indices {
      let id = saved.ids[index]
      let kind = Contract.kind(id)
      let isThere = comparison.isThere[index]
      if !isThere, let feature = Contract.feature(id) {
        // The whole part is told once, by its name; what is ignored tells nothing of it.
        if kind != .ignored, !missing.contains(feature) {
          missing.append(feature)
          refusals.append(Difference(id: id, message: "needs \(feature.rawValue); this host's KVM gives none"))
        }
        continue
      }
      compare(index, kind, isThere: isThere, comparison)
    }
    clearExtra(comparison)
    for rank in ranked { writes += rank }
    ranked = []
  }

  private mutating func compare(_ index: Int, _ kind: Contract.Kind?, isThere: Bool, _ comparison: Comparison) {
    let id = comparison.saved.ids[index]
    let value = comparison.saved.value(at: index)
    switch kind {
    case .id where id == .vectorLengths: compareLengths(index, comparison)
    case .id: compareID(id, value, comparison)
    case .level: compareLevel(id, value, comparison)
    case .bitmap: compareBitmap(id, value, comparison)
    case .geometry: compareGeometry(id, value, comparison)
    case .ignored: break
    case .time: note(id, value, isThere: isThere)
    case .optional where !isThere: compareMissing(id, value, Contract.row(id), comparison)
    case .state, .stateOfFeature, .optional, nil:
      guard isThere else {
        if id.isVector, comparison.has(.scalableVector(0)) {
          // One register tells it for all 32.
          if id == .vector(0) {
            refuse(id, "was saved without \(Contract.Feature.vectors.rawValue); this vCPU has them")
          }
        } else {
          let advice = kind == nil ? "; restore it under a kernel that has it, as the snapshot's had" : ""
          refuse(id, "needs \(SystemRegisters.name(id)); this host's KVM has no such register\(advice)")
        }
        return
      }
      if id == .monitorControl { compareCounters(value, comparison) }
      ranked[rank(id)].append(Write(id: id, content: .saved(comparison.saved.place(at: index)), mayFail: false))
    }
  }

  /// Where in the order a register of the vCPU's state is.
  private func rank(_ id: RegisterID) -> Int {
    switch id {
    // What looks up a vCPU finds it by this.
    case .multiprocessorAffinity: 0
    // How many counters there are decides which bits of the others are kept.
    case .monitorControl: 5
    default: 7
    }
  }

  /// The place in the order of ID registers, and the one behind it for what is checked against them.
  private static let idRank = 3

  private mutating func refuse(_ id: RegisterID, _ message: String) {
    refusals.append(Difference(id: id, message: message))
  }

  private mutating func accept(_ id: RegisterID, _ message: String) {
    accepted.append(Difference(id: id, message: message))
  }

  private mutating func write(_ id: RegisterID, _ value: UInt64, rank: Int, mayFail: Bool = false) {
    ranked[rank].append(Write(id: id, content: .value(value), mayFail: mayFail))
  }

  private mutating func note(_ id: RegisterID, _ value: UInt64, isThere: Bool) {
    if id == .virtualCounter {
      counter = value
      if !isThere { refuse(id, "needs CNTVCT_EL0; this host's KVM has no such register") }
    } else {
      physicalCounter = value
      if !isThere { accept(id, "CNTPCT_EL0 is not kept: this host's KVM cannot set it") }
    }
  }

  // MARK: - Identification

  private mutating func compareID(_ id: RegisterID, _ value: UInt64, _ comparison: Comparison) {
    guard let given = comparison.target.values.value(of: id) else {
      if value != 0 { refuse(id, "\(SystemRegisters.name(id)) must be \(value.hexadecimal); this host's KVM has none") }
      return
    }
    guard value != given else { return }
    let name = SystemRegisters.name(id)
    if id.isImplementation {
      if comparison.target.canChangeImplementation {
        write(id, value, rank: Self.idRank)
      } else if comparison.tolerance.contains(.otherProcessor) {
        accept(id, "\(name) was \(value.hexadecimal) and is \(given.hexadecimal): another processor was asked for")
      } else {
        refuse(id, "\(name) must be \(value.hexadecimal); this host has \(given.hexadecimal)")
      }
      return
    }
    guard let register = IDRegisters.register(id) else {
      refuse(id, "\(name) must be \(value.hexadecimal); this host has \(given.hexadecimal)")
      return
    }
    let fields = IDComparison(
      register,
      wanted: value,
      given: given,
      writable: comparison.target.masks.mask(of: id),
      acceptsFixed: comparison.tolerance.contains(.fixedFields)
    )
    for message in fields.refusals { refuse(id, message) }
    for message in fields.accepted { accept(id, message) }
    if fields.value != given { write(id, fields.value, rank: Self.idRank) }
  }

  private mutating func compareLengths(_ index: Int, _ comparison: Comparison) {
    let saved = VectorLengths(comparison.saved, at: index)
    guard let place = comparison.target.values.index(of: .vectorLengths) else { return }
    let given = VectorLengths(comparison.target.values, at: place)
    if saved != given { refuse(.vectorLengths, saved.refusal(given)) }
  }

  private mutating func compareCounters(_ value: UInt64, _ comparison: Comparison) {
    guard let given = comparison.target.values.value(of: .monitorControl) else { return }
    let (wanted, there) = (value >> 11 & 0x1F, given >> 11 & 0x1F)
    if wanted > there {
      refuse(.monitorControl, "needs \(wanted) event counters; this host has \(there)")
    } else if wanted < there, comparison.target.masks == .old {
      refuse(.monitorControl, "PMCR_EL0.N must be \(wanted); this kernel fixes \(there)")
    }
  }

  // MARK: - Firmware

  private mutating func compareLevel(_ id: RegisterID, _ value: UInt64, _ comparison: Comparison) {
    let given = comparison.target.values.value(of: id)
    if id == FirmwareRegisters.psciVersion {
      guard let given, value <= given else {
        refuse(id, "needs PSCI \(psci(value)); this host's KVM has \(given.map(psci) ?? "none")")
        return
      }
    } else {
      // The lowest four bits are the level; the guest's own switch stands above them.
      guard (given ?? 0) & 0xF >= value & 0xF else {
        let have = given.map { "\($0 & 0xF)" } ?? "none"
        refuse(id, "needs \(SystemRegisters.name(id)) of at least \(value & 0xF); this host has \(have)")
        return
      }
      guard given != nil else {
        accept(id, "\(SystemRegisters.name(id)) is missing here and was 0")
        return
      }
    }
    write(id, value, rank: 1)
  }

  private func psci(_ version: UInt64) -> String { "\(version >> 16).\(version & 0xFFFF)" }

  private mutating func compareBitmap(_ id: RegisterID, _ value: UInt64, _ comparison: Comparison) {
    let name = SystemRegisters.name(id)
    guard let given = comparison.target.values.value(of: id) else {
      if value == 0 {
        accept(id, "\(name) is missing here and was 0")
      } else {
        refuse(id, "needs \(name) with \(value.hexadecimal); this host's KVM has no such register")
      }
      return
    }
    // A register that resets to 0 tells by that nothing of what it would take.
    let bitmap = FirmwareRegisters.bitmaps.first { $0.id == id }
    let isOptIn = bitmap.map { $0.services.allSatisfy { !$0.isExposed } } ?? false
    let missing = isOptIn ? 0 : value & ~given
    if missing != 0 {
      let names = bitmap?.services.filter { missing & 1 << UInt64($0.bit) != 0 }.map(\.name) ?? []
      let what = names.isEmpty ? missing.hexadecimal : names.joined(separator: ", ")
      refuse(id, "needs \(name) with \(what); this host's KVM does not have it")
      return
    }
    write(id, value, rank: 2)
  }

  // MARK: - What may be missing

  private mutating func compareGeometry(_ id: RegisterID, _ value: UInt64, _ comparison: Comparison) {
    let given = comparison.target.values.value(of: id)
    guard value != given else { return }
    // The kernels that let CLIDR_EL1 be written let CCSIDR_EL1 be.
    if given != nil, comparison.target.masks.mask(of: .system(3, 1, 0, 0, 1)) != 0 {
      write(id, value, rank: Self.idRank + 1, mayFail: true)
    } else {
      let have = given.map { "is \($0.hexadecimal)" } ?? "is missing here"
      accept(id, "\(SystemRegisters.name(id)) was \(value.hexadecimal) and \(have): \(Contract.caches)")
    }
  }

  private mutating func compareMissing(
    _ id: RegisterID,
    _ value: UInt64,
    _ row: Contract.Row?,
    _ comparison: Comparison
  ) {
    let name = SystemRegisters.name(id)
    let isUnused: Bool
    switch id {
    case .physicalTimerControl, .physicalTimerCompare:
      isUnused = (comparison.saved.value(of: .physicalTimerControl) ?? 0) & 1 == 0
    default:
      let isReset = value == 0 || value == RegisterID.resetPattern
      let isGated = row?.gate.map { (comparison.saved.value(of: $0.register) ?? 1 << $0.shift) >> $0.shift & 0xF == 0 }
      isUnused = isReset || isGated ?? false
    }
    if isUnused {
      accept(id, "\(name) is missing here: \(row?.why ?? "")")
    } else {
      refuse(id, "needs \(name), which held \(value.hexadecimal); this host's KVM has no such register")
    }
  }

  private mutating func clearExtra(_ comparison: Comparison) {
    let clearing: [RegisterID] = [.clearingCounters, .clearingInterrupts, .clearingOverflows]
    for id in clearing where comparison.has(id) {
      // What the reset left there goes first: Linux 6.12 takes a write to the register that sets the bits as "these as
      // well", others as "these alone".
      write(id, UInt64(UInt32.max), rank: 6)
    }
    for id in comparison.extra where !clearing.contains(id) {
      switch Contract.kind(id) {
      case .bitmap:
        write(id, 0, rank: 2)
        accept(id, "\(SystemRegisters.name(id)) is new here: the guest does not get it")
      case .id where id == .vectorLengths: break
      case .id where !id.isImplementation: compareID(id, 0, comparison)
      case .stateOfFeature, .ignored, .time: break
      default: accept(id, "\(SystemRegisters.name(id)) is new here: it stays as it is after a reset")
      }
    }
  }
}

/// What a plan looks at.
private struct Comparison {
  let saved: RegisterSet
  let target: RestorePlan.Target
  let tolerance: RestorePlan.Tolerance
  /// Of each register that was saved, whether the target has it.
  let isThere: [Bool]
  /// What the target has and was not saved, in ascending order.
  let extra: [RegisterID]
  /// All that the target has, in ascending order.
  private let listed: [RegisterID]

  init(saved: RegisterSet, target: RestorePlan.Target, tolerance: RestorePlan.Tolerance) {
    self.saved = saved
    self.target = target
    self.tolerance = tolerance
    let (ids, order, listed) = (saved.ids, saved.ascending, target.ids.sorted())
    var isThere = [Bool](repeating: false, count: ids.count)
    var extra: [RegisterID] = []
    var next = 0
    for id in listed {
      while next < order.count, ids[order[next]] < id { next += 1 }
      if next < order.count, ids[order[next]] == id { isThere[order[next]] = true } else { extra.append(id) }
    }
    self.isThere = isThere
    self.extra = extra
    self.listed = listed
  }

  func has(_ id: RegisterID) -> Bool {
    var low = 0
    var high = listed.count
    while low < high {
      let middle = (low + high) / 2
      if listed[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low < listed.count && listed[low] == id
  }
}
