import CPUModel
import KVM
import TestSupport
import Testing

@Suite("Models of processors")
struct ProcessorModelTests {
  static let hosts = RecordedHost.kernels.dropFirst().map { "max-\($0)" } + ["neoverse-n1-6.12"]

  @Test("every recorded host since 5.15 can give the baseline", arguments: hosts)
  func baseline(name: String) throws {
    let model = try #require(ProcessorModel.shipped(named: "armv8.0-baseline"))
    let host = RecordedHost(name).processor(for: model)

    let plan = ModelPlan(model, on: host)

    #expect(plan.refusals == [])
    for write in plan.writes { #expect((write.value ^ host.value(write.id)) & ~host.masks.mask(of: write.id) == 0) }
  }

  @Test(
    "where the kernel lets them be lowered, no instruction beyond Armv8.0 is shown",
    arguments: ["6.12", "6.18", "7.3"]
  )
  func baselineInstructions(kernel: String) throws {
    let model = try #require(ProcessorModel.shipped(named: "armv8.0-baseline"))
    let host = RecordedHost("max-\(kernel)").processor(for: model)

    let plan = ModelPlan(model, on: host)

    #expect(plan.value("ID_AA64ISAR0_EL1", host) == 0x1_1120)
    #expect(plan.value("ID_AA64ISAR1_EL1", host) == 0)
    #expect(plan.value("ID_AA64MMFR1_EL1", host) & 0xF00 == 0x100)
    #expect(plan.value("ID_AA64MMFR0_EL1", host) & 0xF == 2)
    #expect(plan.value("ID_AA64DFR0_EL1", host) & 0xF0F == 6)
  }

  @Test(
    "a core's model is given where the kernel can lower what the host has more",
    arguments: ["neoverse-n1", "cortex-a76"]
  )
  func cores(name: String) throws {
    let model = try #require(ProcessorModel.shipped(named: name))

    for host in ["max-6.12", "max-6.18", "max-7.3", "neoverse-n1-6.12"] {
      #expect(ModelPlan(model, on: RecordedHost(host).processor(for: model)).refusals == [])
    }
  }

  @Test("a core's model is refused by field where the kernel fixes more")
  func fixedCore() throws {
    let model = try #require(ProcessorModel.shipped(named: "neoverse-n1"))

    let refusals = ModelPlan(model, on: RecordedHost("max-6.1").processor(for: model)).refusals

    #expect(refusals.contains("ID_AA64ISAR0_EL1.SHA3 must be 0; this kernel fixes 1"))
    #expect(refusals.contains("ID_AA64DFR0_EL1.DebugVer must be 8; this host has 6"))
    #expect(refusals.contains("ID_AA64DFR0_EL1.PMUVer must be 4; this kernel fixes 5"))
    #expect(refusals.count == 32)
  }

  @Test("a model that a host wrote out changes nothing on that host", arguments: hosts)
  func writtenOut(name: String) {
    let host = RecordedHost(name).processor(for: nil)
    let model = ProcessorModel(host: host, name: "mine")

    let plan = ModelPlan(model, on: host)

    #expect(plan == ModelPlan(ProcessorModel(host: host, name: "same"), on: host))
    #expect(plan.writes == [] && plan.refusals == [] && plan.shown == [])
  }

  @Test("a fleet's model can be given by each host that can lower its fields")
  func fleet() {
    let names = ["max-6.12", "max-6.18", "max-7.3", "neoverse-n1-6.12"]
    let models = names.map { ProcessorModel(host: RecordedHost($0).processor(for: nil), name: $0) }

    let fleet = ProcessorModel.intersection(of: models, name: "fleet")

    for name in names {
      let plan = ModelPlan(fleet, on: RecordedHost(name).processor(for: fleet))
      #expect(plan.refusals.filter { !$0.contains("IDS must be 0") && !$0.contains("RAS must be 1") } == [])
    }
    #expect(fleet.vectorLengths == [])
    #expect(!fleet.hasPointerAuthentication)
    #expect(fleet["ID_AA64ZFR0_EL1"] == nil)
    #expect(fleet["ID_AA64ISAR0_EL1"]?.fields?.contains { $0.name == "SHA3" } == false)
    #expect(fleet.psciVersion == 0x1_0001)
  }

  @Test("an intersection is the same in any order, and with itself it is itself")
  func algebra() {
    let one = ProcessorModel(host: RecordedHost("max-6.1").processor(for: nil), name: "x")
    let other = ProcessorModel(host: RecordedHost("neoverse-n1-6.12").processor(for: nil), name: "x")

    let both = ProcessorModel.intersection(of: [one, other], name: "x")
    var swapped = ProcessorModel.intersection(of: [other, one], name: "x")
    var itself = ProcessorModel.intersection(of: [one, one], name: "x")
    itself.summary = one.summary
    swapped.summary = both.summary

    #expect(both.sorted == swapped.sorted)
    #expect(itself.sorted == one.sorted)
  }

  @Test("vectors, monitors, pointer authentication, PSCI and services that a host lacks are refused by name")
  func parts() {
    var model = ProcessorModel(host: RecordedHost("max-6.12").processor(for: nil), name: "x")
    model.vectorLengths = [16, 32, 64]
    model.monitors = ProcessorModel.Monitors(counters: 8)
    var poor = RecordedHost("max-6.12", with: [.firmware(.bitmap, 2): 1]).processor(for: model)
    poor.hasPointerAuthentication = false
    model.psciVersion = 0x1_0003

    let refusals = ModelPlan(model, on: poor).refusals

    let lengths = "16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256"
    #expect(refusals.contains("needs SVE lengths 16, 32, 64; this host has \(lengths)"))
    #expect(refusals.contains("needs pointer authentication; this host's KVM gives none"))
    #expect(refusals.contains("needs 8 event counters; this host has 6"))
    #expect(refusals.contains("needs PSCI 1.3; this host's KVM has 1.1"))
    #expect(refusals.contains("needs KVM_REG_ARM_VENDOR_HYP_BMAP with PTP; this host's KVM does not have it"))
  }

  @Test("fewer event counters are written where the kernel takes them")
  func counters() throws {
    var model = ProcessorModel(host: RecordedHost("max-6.12").processor(for: nil), name: "x")
    model.monitors = ProcessorModel.Monitors(counters: 4)

    let plan = ModelPlan(model, on: RecordedHost("max-6.12").processor(for: model))
    let old = ModelPlan(model, on: RecordedHost("max-6.1").processor(for: model))

    #expect(plan.writes.map(\.value) == [4 << 11])
    #expect(old.refusals.contains("needs 4 event counters; this kernel fixes 6"))
  }

  @Test("a register of a later architecture is hidden, or refused where the kernel fixes it")
  func unknownRegister() throws {
    let later = RegisterID.system(3, 0, 0, 7, 5)
    let model = try #require(ProcessorModel.shipped(named: "neoverse-n1"))
    var host = RecordedHost("max-6.12", with: [later: 0x11]).processor(for: model)

    let fixed = ModelPlan(model, on: host)
    host.masks = WritableMasks([later: 0xFF])
    let writable = ModelPlan(model, on: host)

    #expect(fixed.refusals.contains("S3_0_C0_C7_5.bits 3:0 must be 0; this kernel fixes 1"))
    #expect(writable.writes.first { $0.id == later }?.value == 0)
  }

  @Test("the firmware table follows a model")
  func firmware() throws {
    var model = ProcessorModel(name: "x")
    model.psciVersion = 0x1_0000
    model.services = ["TRNG_V1_0", "FUNC_FEAT"]
    let host = [
      FirmwareRegisters.HostRegister(id: FirmwareRegisters.psciVersion, value: 0x1_0003),
      FirmwareRegisters.HostRegister(id: .firmware(.bitmap, 0), value: 1),
      FirmwareRegisters.HostRegister(id: .firmware(.bitmap, 1), value: 1),
      FirmwareRegisters.HostRegister(id: .firmware(.bitmap, 2), value: 3),
    ]

    let plan = try FirmwareRegisters.plan(host: host, model: model)

    #expect(plan.writes.map(\.value) == [0x1_0000, 1, 0, 1])
  }

  @Test(
    "a snapshot of the baseline goes on on every kernel, where what is fixed may be shown",
    arguments: RestorePlanTests.matrix
  )
  func baselineMatrix(from: String, to: String, refused: [String]) throws {
    let model = try #require(ProcessorModel.shipped(named: "armv8.0-baseline"))
    let source = RecordedHost("max-\(from)")
    let started = source.started(as: model)
    let target = RecordedHost("max-\(to)").made(for: model)

    let plan = RestorePlan(saved: started.registers, target: target.target, accepting: .fixedFields)

    #expect(plan.refusals == [])
  }
}

extension HostProcessor {
  func value(_ id: RegisterID) -> UInt64 { registers.value(of: id) ?? 0 }
}

extension ModelPlan {
  /// What a guest reads of a register.
  func value(_ name: String, _ host: HostProcessor) -> UInt64 {
    guard let id = IDRegisters.register(named: name)?.id else { return 0 }
    return writes.last { $0.id == id }?.value ?? host.value(id)
  }
}

extension ProcessorModel {
  /// With registers and fields in the order of their names.
  var sorted: ProcessorModel {
    var model = self
    for index in model.registers.indices { model.registers[index].fields?.sort { $0.name < $1.name } }
    model.registers.sort { $0.name < $1.name }
    return model
  }
}

extension RecordedHost {
  /// A new vCPU of this host with the parts that a model has.
  func made(for model: ProcessorModel) -> RecordedHost {
    let shown = processor(for: model).registers
    var without: [RegisterID] = []
    for id in registers.ids {
      switch Contract.row(id)?.feature {
      case .monitors? where model.monitors == nil: without.append(id)
      case .vectors? where model.vectorLengths.isEmpty: without.append(id)
      case .authentication? where !model.hasPointerAuthentication: without.append(id)
      default: break
      }
    }
    var values: [RegisterID: UInt64] = [:]
    for index in shown.ids.indices where !without.contains(shown.ids[index]) {
      values[shown.ids[index]] = shown.value(at: index)
    }
    return RecordedHost(self, without: without, with: values)
  }

  /// The same after Apus wrote the model and the firmware table.
  func started(as model: ProcessorModel) -> RecordedHost {
    var values: [RegisterID: UInt64] = [:]
    for write in ModelPlan(model, on: processor(for: model)).writes { values[write.id] = write.value }
    var firmware: [FirmwareRegisters.HostRegister] = []
    for (index, id) in registers.ids.enumerated() where id.firmware != nil {
      firmware.append(FirmwareRegisters.HostRegister(id: id, value: registers.value(at: index)))
    }
    for write in (try? FirmwareRegisters.plan(host: firmware, model: model))?.writes ?? [] {
      values[write.id] = write.value
    }
    return RecordedHost(made(for: model), with: values)
  }
}
