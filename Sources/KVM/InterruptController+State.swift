/// What a controller holds, as numbers in an order that its shape alone decides: nobody who keeps them can name a
/// register.
public struct InterruptControllerState: Codable, Equatable, Sendable {
  /// GICv2 or GICv3.
  public var version: UInt32
  /// How many vCPUs there are.
  public var cpuCount: Int
  /// How many interrupts there are, private ones included.
  public var interruptCount: UInt32
  /// What the registers hold.
  public var values: [UInt64]

  /// - Parameters:
  ///   - version: 2 or 3.
  ///   - cpuCount: how many vCPUs.
  ///   - interruptCount: private ones included.
  ///   - values: in the order of such a controller's registers.
  public init(version: UInt32, cpuCount: Int, interruptCount: UInt32, values: [UInt64]) {
    self.version = version
    self.cpuCount = cpuCount
    self.interruptCount = interruptCount
    self.values = values
  }
}

/// The registers of a controller that a state has, in the order in which they are put back.
///
/// Targets and configuration come before what is pending, and what clears before what sets (QEMU's arm_gicv3_kvm.c has
/// the same order). A GICv3's are in IHI 0069, chapter 12, a GICv2's in IHI 0048, chapter 4.
struct InterruptControllerRegisters {
  /// One access.
  struct Register: Equatable {
    /// KVM's group of attributes.
    let group: UInt32
    /// Its attribute.
    let attribute: UInt64
    /// Whether it has 64 bits.
    var isWide = false
    /// An attribute of the same group that takes all ones before the value is set: the register only sets bits.
    var cleared: UInt64?
    /// What is left out of the value where it is put back.
    var mask: UInt64 = .max
  }

  private enum Group {
    static let distributor: UInt32 = 1
    static let v2CPUInterface: UInt32 = 2
    static let redistributor: UInt32 = 5
    static let v3CPUInterface: UInt32 = 6
    static let level: UInt32 = 7
  }

  /// GICD_*, and at the same offsets the private interrupts' of a redistributor.
  private enum Offset {
    static let control: UInt64 = 0x0
    static let identification: UInt64 = 0x8
    static let status: UInt64 = 0x10
    static let group: UInt64 = 0x80
    static let enable: UInt64 = 0x100
    static let disable: UInt64 = 0x180
    static let pending: UInt64 = 0x200
    static let notPending: UInt64 = 0x280
    static let active: UInt64 = 0x300
    static let notActive: UInt64 = 0x380
    static let priority: UInt64 = 0x400
    static let v2Targets: UInt64 = 0x800
    static let configuration: UInt64 = 0xC00
    static let v2SoftwarePending: UInt64 = 0xF20
    static let v2SoftwareNotPending: UInt64 = 0xF10
    static let router: UInt64 = 0x6000
    /// GICR_WAKER.
    static let waker: UInt64 = 0x14
    /// Of a redistributor's frame for private interrupts.
    static let privateFrame: UInt64 = 0x1_0000
  }

  /// GICC_*.
  private enum V2CPUOffset {
    static let all: [UInt64] = [0x0, 0x4, 0x8, 0x1C, 0xD0]
  }

  private(set) var all: [Register] = []

  /// - Parameters:
  ///   - affinities: MPIDR_EL1 of each vCPU.
  ///   - priorityBits: how many each CPU interface of a GICv3 has.
  ///   - driven: interrupts whose lines are driven anew: what a GICv2 tells of them as pending is left out.
  init(version: UInt32, affinities: [UInt64], interruptCount: UInt32, priorityBits: [Int], driven: Set<UInt32> = []) {
    if version == 2 {
      addV2(cpuCount: affinities.count, interruptCount: UInt64(interruptCount), driven)
    } else {
      addV3(affinities.map { Self.attribute(of: $0) }, interruptCount: UInt64(interruptCount), priorityBits)
    }
  }

  /// A vCPU's place in an attribute: Aff3 to Aff0 in bits 63 to 32.
  static func attribute(of affinity: UInt64) -> UInt64 {
    ((affinity >> 32 & 0xFF) << 24 | affinity & 0xFF_FFFF) << 32
  }

  private mutating func add(_ group: UInt32, _ attribute: UInt64) {
    all.append(Register(group: group, attribute: attribute))
  }

  private mutating func addSetting(_ group: UInt32, _ place: UInt64, _ clear: UInt64, _ set: UInt64) {
    all.append(Register(group: group, attribute: place | set, cleared: place | clear))
  }

  // MARK: GICv3

  private mutating func addV3(_ cpus: [UInt64], interruptCount: UInt64, _ priorityBits: [Int]) {
    add(Group.distributor, Offset.identification)
    // First: KVM puts no interrupt on a vCPU's list while the distributor is off, and switching it on puts none there.
    add(Group.distributor, Offset.control)
    for cpu in cpus { addRedistributor(cpu) }
    add(Group.distributor, Offset.status)
    let words = 1..<interruptCount / 32
    for word in words { addSetting(Group.distributor, 0, Offset.disable + 4 * word, Offset.enable + 4 * word) }
    for word in words { add(Group.distributor, Offset.group + 4 * word) }
    // The upper half of each has Aff3, which KVM does not have.
    for interrupt in 32..<interruptCount { add(Group.distributor, Offset.router + 8 * interrupt) }
    for word in 2..<interruptCount / 16 { add(Group.distributor, Offset.configuration + 4 * word) }
    for word in words { add(Group.level, cpus[0] | 32 * word) }
    for word in words { add(Group.distributor, Offset.pending + 4 * word) }
    for word in words { addSetting(Group.distributor, 0, Offset.notActive + 4 * word, Offset.active + 4 * word) }
    for word in 8..<interruptCount / 4 { add(Group.distributor, Offset.priority + 4 * word) }
    for (cpu, bits) in zip(cpus, priorityBits) { addCPUInterface(cpu, priorityBits: bits) }
  }

  private mutating func addRedistributor(_ cpu: UInt64) {
    let frame = cpu | Offset.privateFrame
    add(Group.redistributor, cpu | Offset.status)
    add(Group.redistributor, cpu | Offset.waker)
    addSetting(Group.redistributor, frame, Offset.disable, Offset.enable)
    add(Group.redistributor, frame | Offset.group)
    for word: UInt64 in 0..<2 { add(Group.redistributor, frame | Offset.configuration + 4 * word) }
    add(Group.level, cpu)
    add(Group.redistributor, frame | Offset.pending)
    addSetting(Group.redistributor, frame, Offset.notActive, Offset.active)
    for word: UInt64 in 0..<8 { add(Group.redistributor, frame | Offset.priority + 4 * word) }
    add(Group.redistributor, cpu | Offset.control)
  }

  private mutating func addCPUInterface(_ cpu: UInt64, priorityBits: Int) {
    // ICC_SRE_EL1, ICC_CTLR_EL1, ICC_IGRPEN0_EL1, ICC_IGRPEN1_EL1, ICC_PMR_EL1, ICC_BPR0_EL1, ICC_BPR1_EL1.
    var registers: [RegisterID] = [
      .system(3, 0, 12, 12, 5), Self.v3Control, .system(3, 0, 12, 12, 6), .system(3, 0, 12, 12, 7),
      .system(3, 0, 4, 6, 0), .system(3, 0, 12, 8, 3), .system(3, 0, 12, 12, 3),
    ]
    // ICC_AP0R<n>_EL1, ICC_AP1R<n>_EL1.
    let count: UInt64 = priorityBits >= 7 ? 4 : priorityBits == 6 ? 2 : 1
    for number in 0..<count { registers.append(.system(3, 0, 12, 8, 4 + number)) }
    for number in 0..<count { registers.append(.system(3, 0, 12, 9, number)) }
    for register in registers {
      all.append(Register(group: Group.v3CPUInterface, attribute: cpu | register.rawValue & 0xFFFF, isWide: true))
    }
  }

  private static let v3Control = RegisterID.system(3, 0, 12, 12, 4)

  /// ICC_CTLR_EL1 of a vCPU.
  static func control(of affinity: UInt64) -> Register {
    Register(
      group: Group.v3CPUInterface,
      attribute: attribute(of: affinity) | v3Control.rawValue & 0xFFFF,
      isWide: true
    )
  }

  // MARK: GICv2

  private mutating func addV2(cpuCount: Int, interruptCount: UInt64, _ driven: Set<UInt32>) {
    add(Group.distributor, Offset.identification)
    // First: KVM puts no interrupt on a vCPU's list while the distributor is off, and switching it on puts none there.
    add(Group.distributor, Offset.control)
    for word in 8..<interruptCount / 4 { add(Group.distributor, Offset.v2Targets + 4 * word) }
    let shared = 1..<interruptCount / 32
    for cpu in 0..<UInt64(cpuCount) { addV2(cpu << 32, words: 0..<1, driven) }
    addV2(0, words: shared, driven)
    for cpu in 0..<UInt64(cpuCount) {
      for offset in V2CPUOffset.all { add(Group.v2CPUInterface, cpu << 32 | offset) }
    }
  }

  private mutating func addV2(_ cpu: UInt64, words: Range<UInt64>, _ driven: Set<UInt32>) {
    for word in words { addSetting(Group.distributor, cpu, Offset.disable + 4 * word, Offset.enable + 4 * word) }
    for word in words { add(Group.distributor, cpu | Offset.group + 4 * word) }
    for word in 2 * words.lowerBound..<2 * words.upperBound {
      add(Group.distributor, cpu | Offset.configuration + 4 * word)
    }
    for word in words {
      var mask: UInt64 = .max
      for bit in UInt32(0)..<32 where driven.contains(UInt32(32 * word) + bit) { mask &= ~(1 << UInt64(bit)) }
      all.append(
        Register(
          group: Group.distributor,
          attribute: cpu | Offset.pending + 4 * word,
          cleared: cpu | Offset.notPending + 4 * word,
          mask: mask
        )
      )
    }
    for word in words { addSetting(Group.distributor, cpu, Offset.notActive + 4 * word, Offset.active + 4 * word) }
    for word in 8 * words.lowerBound..<8 * words.upperBound { add(Group.distributor, cpu | Offset.priority + 4 * word) }
    guard words.lowerBound == 0 else { return }
    // Who has sent each of the software generated interrupts.
    for word: UInt64 in 0..<4 {
      addSetting(Group.distributor, cpu, Offset.v2SoftwareNotPending + 4 * word, Offset.v2SoftwarePending + 4 * word)
    }
  }
}

extension InterruptController {
  /// What the controller holds. While no vCPU runs.
  ///
  /// - Parameters:
  ///   - version: 2 or 3, as it was made.
  ///   - affinities: MPIDR_EL1 of each vCPU.
  ///   - interruptCount: as it was initialised with.
  public func state(
    version: UInt32,
    affinities: [UInt64],
    interruptCount: UInt32
  ) throws(KVMError) -> InterruptControllerState {
    let registers = InterruptControllerRegisters(
      version: version,
      affinities: affinities,
      interruptCount: interruptCount,
      priorityBits: try priorityBits(version, affinities)
    )
    var values: [UInt64] = []
    values.reserveCapacity(registers.all.count)
    for register in registers.all { values.append(try value(of: register)) }
    return InterruptControllerState(
      version: version,
      cpuCount: affinities.count,
      interruptCount: interruptCount,
      values: values
    )
  }

  /// Puts a state back, into a controller that was initialised and whose vCPUs have their registers and never ran.
  ///
  /// - Parameters:
  ///   - state: of such a controller.
  ///   - affinities: MPIDR_EL1 of each vCPU.
  ///   - driven: interrupts whose lines are driven anew by whoever drives them; a GICv2 does not tell lines apart.
  /// - Returns: false where the state is one of another shape; nothing has changed then.
  public func restore(
    _ state: InterruptControllerState,
    affinities: [UInt64],
    driven: Set<UInt32>
  ) throws(KVMError) -> Bool {
    let registers = InterruptControllerRegisters(
      version: state.version,
      affinities: affinities,
      interruptCount: state.interruptCount,
      priorityBits: try priorityBits(state.version, affinities),
      driven: driven
    )
    guard state.cpuCount == affinities.count, state.values.count == registers.all.count else { return false }
    for (register, value) in zip(registers.all, state.values) {
      if let cleared = register.cleared {
        try device.setAttribute(group: register.group, attribute: cleared, value: UInt32.max)
      }
      if register.isWide {
        try device.setAttribute(group: register.group, attribute: register.attribute, value: value & register.mask)
      } else {
        try device.setAttribute(
          group: register.group,
          attribute: register.attribute,
          value: UInt32(truncatingIfNeeded: value & register.mask)
        )
      }
    }
    return true
  }

  /// ICC_CTLR_EL1.PRIbits of each vCPU, plus 1.
  private func priorityBits(_ version: UInt32, _ affinities: [UInt64]) throws(KVMError) -> [Int] {
    guard version == 3 else { return [] }
    var bits: [Int] = []
    for affinity in affinities {
      bits.append(Int(try value(of: InterruptControllerRegisters.control(of: affinity)) >> 8 & 7) + 1)
    }
    return bits
  }

  private func value(of register: InterruptControllerRegisters.Register) throws(KVMError) -> UInt64 {
    if register.isWide { return try device.attribute(group: register.group, attribute: register.attribute) }
    let value: UInt32 = try device.attribute(group: register.group, attribute: register.attribute)
    return UInt64(value)
  }
}
