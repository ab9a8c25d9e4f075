import CPUModel
import KVM
import TestSupport

/// A host as a file in the folder `Registers` recorded it: a double of KVM for one new vCPU.
struct RecordedHost: Sendable {
  /// The processor and the kernel, such as `max-6.12`.
  let name: String
  /// Every register with its value after a reset.
  var registers = RegisterSet()
  /// What can be written of ID registers.
  var masks = WritableMasks.old

  /// The kernels on which a vCPU of QEMU's `max` was recorded.
  static let kernels = ["5.10", "6.1", "6.12", "6.18", "7.3"]

  init(_ name: String) {
    self.name = name
    let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Registers"
    var masks: [RegisterID: UInt64] = [:]
    for line in HostFiles.text("\(folder)/\(name).txt").split(separator: "\n") where !line.hasPrefix("#") {
      let words = line.split(separator: " ").map(String.init)
      let numbers = words.compactMap { UInt64($0, radix: 16) }
      if words[0] == "mask" {
        masks[RegisterID(rawValue: numbers[0])] = numbers[1]
      } else {
        set(RegisterID(rawValue: numbers[0]), numbers[1])
      }
    }
    self.masks = WritableMasks(masks)
  }

  /// A recorded host with some registers gone and others of another value.
  init(_ name: String, without dropped: [RegisterID] = [], with altered: [RegisterID: UInt64] = [:]) {
    self.init(RecordedHost(name), without: dropped, with: altered)
  }

  /// The same of a host that was read before.
  init(_ whole: RecordedHost, without dropped: [RegisterID] = [], with altered: [RegisterID: UInt64] = [:]) {
    name = whole.name
    masks = whole.masks
    for index in whole.registers.ids.indices where !dropped.contains(whole.registers.ids[index]) {
      let id = whole.registers.ids[index]
      set(id, altered[id] ?? whole.registers.value(at: index))
    }
    for (id, value) in altered where !registers.contains(id) { set(id, value) }
  }

  private mutating func set(_ id: RegisterID, _ value: UInt64) {
    var bytes = [UInt8](repeating: 0, count: id.size)
    for index in 0..<min(8, id.size) { bytes[index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    registers.append(id, bytes: bytes)
  }

  /// A new vCPU of this host, of which only is known what a plan asks for.
  var target: RestorePlan.Target {
    var values = RegisterSet()
    for index in registers.ids.indices where RestorePlan.needsValue(registers.ids[index]) {
      values.append(registers.ids[index], bytes: registers.bytes[registers.place(at: index)])
    }
    return RestorePlan.Target(ids: registers.ids, values: values, masks: masks)
  }

  /// What comes of a vCPU of this host on another one.
  func plan(on other: RecordedHost, accepting tolerance: RestorePlan.Tolerance = []) -> RestorePlan {
    RestorePlan(saved: registers, target: other.target, accepting: tolerance)
  }

}

extension RestorePlan {
  /// The names of the registers that are refused, each once.
  var refused: [String] {
    var names: [String] = []
    for refusal in refusals where !names.contains(SystemRegisters.name(refusal.id)) {
      names.append(SystemRegisters.name(refusal.id))
    }
    return names
  }

  /// The names of the registers that differ without harm, each once.
  var forgiven: [String] {
    var names: [String] = []
    for difference in accepted where !names.contains(SystemRegisters.name(difference.id)) {
      names.append(SystemRegisters.name(difference.id))
    }
    return names
  }

  /// What is written to a register last, of one that has 64 bits at most.
  func written(_ id: RegisterID, of saved: RegisterSet) -> UInt64? {
    guard let write = writes.last(where: { $0.id == id }) else { return nil }
    switch write.content {
    case .value(let value): return value
    case .saved: return saved.value(of: id)
    }
  }
}

extension RecordedHost {
  /// What KVM shows of this host to a vCPU that is made with the parts that a model has.
  func processor(for model: ProcessorModel?) -> HostProcessor {
    var hidden: [(register: String, field: String)] = []
    if model?.monitors == nil, model != nil { hidden += [("ID_AA64DFR0_EL1", "PMUVer"), ("ID_DFR0_EL1", "PerfMon")] }
    let hasVectors = registers.contains(.vectorLengths) && model?.vectorLengths.isEmpty != true
    if !hasVectors { hidden.append(("ID_AA64PFR0_EL1", "SVE")) }
    let hasAuthentication = registers.contains(.system(3, 0, 2, 1, 0)) && model?.hasPointerAuthentication != false
    if !hasAuthentication { hidden += [("ID_AA64ISAR1_EL1", "APA"), ("ID_AA64ISAR1_EL1", "GPA")] }

    var processor = HostProcessor()
    processor.masks = masks
    for (index, id) in registers.ids.enumerated() where HostProcessor.isOfInterest(id) {
      var value = registers.value(at: index)
      let known = IDRegisters.register(id)
      for part in hidden where part.register == known?.name { value &= ~(known?.field(part.field)?.mask ?? 0) }
      if known?.name == "ID_AA64ZFR0_EL1", !hasVectors { value = 0 }
      processor.registers.append(id, value)
    }
    processor.hasMonitors = model?.monitors != nil || model == nil
    processor.hasPointerAuthentication = hasAuthentication
    if hasVectors, let index = registers.index(of: .vectorLengths) {
      processor.vectorLengths = VectorLengths(register: registers.bytes[registers.place(at: index)])
    }
    return processor
  }
}
