internal import CPUModel
import GuestABI
import HostBackends
import KVM

/// What this host offers a machine, and what to do about what is missing: what `apus doctor` prints.
public struct HostSurvey: Sendable, Encodable {
  /// One thing that was looked at.
  public struct Finding: Sendable, Encodable {
    /// What was looked at, in a word or two.
    public let name: String
    /// How it stands.
    public let status: Status
    /// In words or numbers.
    public let detail: String
    /// What to do, where something is missing.
    public let advice: String?
  }

  /// How something stands.
  public enum Status: String, Sendable, Encodable {
    /// It is there.
    case ok
    /// It is not there, and machines run without it.
    case absent
    /// It is not there, and no machine runs.
    case missing
  }

  /// In the order to print them.
  public private(set) var findings: [Finding] = []

  /// The interrupt controllers that a guest can have here.
  public private(set) var interruptControllers: [GICVersion] = []

  /// Whether a machine can run here.
  public var isUsable: Bool { !findings.contains { $0.status == .missing } }

  /// Why no machine at all can run on this host, and what to do about it; nil where KVM is there and can be opened.
  ///
  /// - Parameter kvmPath: KVM's device.
  public static func obstacle(kvmPath: String = "/dev/kvm") -> String? {
    do throws(KVMError) {
      _ = try System(path: kvmPath)
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// Looks at the host.
  ///
  /// - Parameters:
  ///   - kvmPath: KVM's device.
  ///   - triesPrograms: whether the programs that machines may have are looked for, and started for a moment.
  public init(kvmPath: String = "/dev/kvm", triesPrograms: Bool = true) {
    do {
      let system = try System(path: kvmPath)
      add("KVM", true, detail: "\(kvmPath), interface version 12")
      try look(system)
    } catch {
      add("KVM", false, detail: "\(error)", advice: "'make demo' in Apus's checkout runs without it")
    }
    if triesPrograms { lookAtPrograms() }
  }

  private mutating func add(_ name: String, _ isThere: Bool, detail: String, advice: String? = nil) {
    findings.append(
      Finding(name: name, status: isThere ? .ok : .missing, detail: detail, advice: isThere ? nil : advice)
    )
  }

  private mutating func addOptional(_ name: String, _ isThere: Bool, without: String) {
    findings.append(
      Finding(
        name: name,
        status: isThere ? .ok : .absent,
        detail: isThere ? "yes" : "no",
        advice: isThere ? nil : without
      )
    )
  }

  private mutating func look(_ system: borrowing System) throws {
    let newerKernel = "use a newer kernel, with arm64 KVM"
    let machine = try system.createVirtualMachine(ipaSize: min(40, system.ipaSizeLimit))
    if machine.supports(.vgicV2) { interruptControllers.append(.v2) }
    if machine.supports(.vgicV3) { interruptControllers.append(.v3) }
    let versions = interruptControllers.map { "GICv\($0.rawValue)" }
    add(
      "interrupt controller",
      !versions.isEmpty,
      detail: versions.isEmpty ? "none" : versions.joined(separator: ", "),
      advice: "use a CPU whose GIC has virtualization, and a kernel that drives it"
    )
    let required: [(String, Capability)] = [
      ("PSCI 0.2 or later", .armPSCI02), ("one-register interface", .oneReg), ("immediate exit", .immediateExit),
      ("ioeventfd", .ioeventfd), ("irqfd", .irqfd),
    ]
    for (name, capability) in required {
      let isThere = system.checkExtension(capability) > 0
      add(name, isThere, detail: isThere ? "yes" : "no", advice: newerKernel)
    }
    let maximum = system.checkExtension(.maximumVCPUs)
    add("vCPUs", maximum > 0, detail: "at most \(maximum)", advice: newerKernel)
    add("guest addresses", true, detail: "\(system.ipaSizeLimit) bits")
    addOptional(
      "scalable vectors (SVE)",
      system.checkExtension(.armSVE) > 0,
      without: "guests run without; a CPU with SVE has it"
    )
    addOptional(
      "performance monitors (PMUv3)",
      system.checkExtension(.armPMUv3) > 0,
      without: "guests run without; a kernel with CONFIG_HW_PERF_EVENTS on a CPU with PMUv3 has it"
    )
    addOptional(
      "pointer authentication",
      system.checkExtension(.armPointerAuthenticationAddress) > 0,
      without: "guests run without; a CPU with Armv8.3 has it"
    )
    addOptional(
      "faults without a syndrome reach Apus",
      system.checkExtension(.armNoSyndromeToUser) > 0,
      without: "such a guest fault is reported as a failure of KVM_RUN"
    )
    try lookAtFirmware(machine)
    try lookAtModels(system)
  }

  /// Which of the shipped models machines can have here, and why not the others.
  private mutating func lookAtModels(_ system: borrowing System) throws {
    for model in ProcessorModel.shipped {
      let plan = try ModelPlan(model, on: Self.processor(system, with: model.features))
      let fixed = plan.shown.isEmpty ? "yes" : "yes, but for what this kernel fixes (\(plan.shown.count) fields)"
      findings.append(
        Finding(
          name: "CPU model \(model.name)",
          status: plan.refusals.isEmpty ? .ok : .absent,
          detail: plan.refusals.isEmpty ? fixed : "no",
          advice: plan.refusals.isEmpty ? nil : plan.refusals.joined(separator: "; ")
        )
      )
    }
  }

  /// What this host shows a vCPU that is made with the parts that a model has.
  ///
  /// - Throws: a `KVMError` without KVM.
  package static func processor(with model: ProcessorModel) throws -> HostProcessor {
    try processor(System(), with: model.features)
  }

  private static func processor(
    _ system: borrowing System,
    with wanted: Configuration.CPUFeatures
  ) throws(KVMError) -> HostProcessor {
    let features = VirtualCPUFeatures(wanted, on: system)
    let machine = try system.createVirtualMachine(ipaSize: min(40, system.ipaSizeLimit))
    let vcpu = try machine.createVirtualCPU(index: 0)
    try vcpu.initialize(features: features, machine: machine)
    if features.contains(.sve) { try vcpu.finalizeSVE() }
    return try HostProcessor(vcpu, features: features, masks: WritableMasks(try machine.writableMasks()))
  }

  /// The model of this host: all that its KVM shows a guest, written out.
  ///
  /// - Parameters:
  ///   - name: what to call it.
  ///   - kvmPath: KVM's device.
  /// - Throws: a description of what is missing, where no machine can run here.
  public static func processorModel(name: String, kvmPath: String = "/dev/kvm") throws -> ProcessorModel {
    let system = try System(path: kvmPath)
    return ProcessorModel(host: try processor(system, with: Configuration.CPUFeatures()), name: name)
  }

  private mutating func lookAtPrograms() {
    addOptional(
      "passt",
      (try? PasstProgram.find()) != nil,
      without: "guests get no network through it; Debian: apt-get install passt"
    )
    add(virtiofsd: VirtiofsdProgram.attempt())
  }

  mutating func add(virtiofsd trial: VirtiofsdProgram.Trial) {
    let (name, without) = ("virtiofsd", "no folder can be shown to guests")
    let finding =
      switch trial {
      case .missing:
        Finding(name: name, status: .absent, detail: "no", advice: "\(without); \(VirtiofsdProgram.advice)")
      case .serves(let version): Finding(name: name, status: .ok, detail: version, advice: nil)
      case .cannotServe(let version, let reason):
        Finding(name: name, status: .absent, detail: "\(version): \(reason)", advice: without)
      }
    findings.append(finding)
  }

  private mutating func lookAtFirmware(_ machine: borrowing VirtualMachine) throws {
    let vcpu = try machine.createVirtualCPU(index: 0)
    try vcpu.initialize(features: .psci02, machine: machine)
    do {
      let plan = try vcpu.applyFirmwareTable()
      add("firmware registers", true, detail: "table \(FirmwareRegisters.tableVersion)")
      for id in plan.unknown {
        add("firmware register \(id)", true, detail: "new to this Apus; guests do not get it")
      }
    } catch let refusal as FirmwareRegisters.Refusal {
      add("firmware registers", false, detail: "\(refusal)", advice: "use a newer kernel")
    }
  }
}
