import Apus
import ApusTesting
import CPUModel
import GuestSupport
import KVM
import TestSupport
import Testing

@Suite("Models of processors", .requiresKVM, .ownThread)
struct CPUModelTests {

  private func configuration(_ choice: Configuration.ProcessorChoice, cpus: Int) throws -> Configuration {
    var configuration = Configuration(kernel: try GuestFile.bareMetal("identity"))
    configuration.cpuCount = cpus
    configuration.memorySize = 16 << 20
    configuration.cpuModel = choice
    return configuration
  }

  @Test(
    "every vCPU reads of each ID register what the model and the host come to",
    arguments: ProcessorModel.shippedNames
  )
  func bareMetal(name: String) async throws {
    let model = try #require(ProcessorModel.shipped(named: name))
    let host = try KVMHost.processor(for: model)
    let plan = ModelPlan(model, on: host)
    let cpus = 2

    let run = try await GuestRun.boot(configuration(.named(name), cpus: cpus))

    guard plan.refusals.isEmpty else {
      #expect(run.outcome.end == .hostFailure)
      for refusal in plan.refusals { #expect(run.outcome.message.contains(refusal)) }
      return
    }
    #expect(run.outcome.end == .poweredOff)
    #expect(run.report.machine?.cpuModel == name)
    var expected: Set<Substring> = []
    for index in host.registers.ids.indices {
      let id = host.registers.ids[index]
      guard IDRegisters.isReserved(id) || id == .cacheType else { continue }
      let value = plan.writes.last { $0.id == id }?.value ?? host.registers.value(at: index)
      let digits = String(value, radix: 16, uppercase: true)
      for cpu in 0..<cpus { expected.insert("vCPU \(cpu) \(SystemRegisters.encodingName(id)) 0x\(digits)") }
    }
    #expect(Set(run.lines).symmetricDifference(expected).sorted() == [])
  }

  @Test("the baseline can be given by every host")
  func baseline() throws {
    let model = try #require(ProcessorModel.shipped(named: "armv8.0-baseline"))

    #expect(ModelPlan(model, on: try KVMHost.processor(for: model)).refusals == [])
  }

  @Test("a host's own model, written out and read back, is what the host shows")
  func ownModel() async throws {
    let folder = try TemporaryFolder()
    let model = try HostSurvey.processorModel(name: "mine")
    let path = try folder.write("mine.json", Array(model.json.utf8))

    let plain = try await GuestRun.boot(configuration(.host, cpus: 1))
    let own = try await GuestRun.boot(configuration(.file(path: path), cpus: 1))

    #expect(plain.outcome.end == .poweredOff)
    #expect(own.outcome.end == .poweredOff)
    #expect(Set(own.lines).symmetricDifference(Set(plain.lines)).sorted() == [])
    #expect(plain.report.machine?.cpuModel == "host")
  }

  @Test("PSCI's version and the services are the model's, and what is not named is not answered")
  func firmware() async throws {
    let folder = try TemporaryFolder()
    var model = try HostSurvey.processorModel(name: "few")
    model.psciVersion = 0x1_0000
    model.services = ["FUNC_FEAT"]
    var configuration = Configuration(kernel: try GuestFile.bareMetal("firmware"))
    configuration.cpuModel = .file(path: try folder.write("few.json", Array(model.json.utf8)))

    let run = try await GuestRun.boot(configuration)

    #expect(run.outcome.end == .poweredOff)
    #expect(run.lines.contains("PSCI_VERSION 0x84000000 = 0x10000"))
    #expect(run.lines.contains { $0.hasPrefix("TRNG_VERSION 0x84000050 = -1") })
    #expect(run.lines.contains { $0.hasPrefix("VENDOR_HYP_KVM_FEATURES 0x86000000 = 0x1 ") })
    #expect(run.lines.contains { $0.hasPrefix("VENDOR_HYP_KVM_PTP 0x86000001 = -1") })
  }

  @Test("what the host cannot give is refused with every register, before the guest runs")
  func refused() async throws {
    let folder = try TemporaryFolder()
    var model = try HostSurvey.processorModel(name: "more")
    let register = ProcessorModel.Register(
      name: "ID_AA64ISAR0_EL1",
      fields: [.init(name: "AES", rule: .value(15)), .init(name: "RNDR", rule: .value(15))]
    )
    model.registers = model.registers.filter { $0.name != register.name } + [register]
    model.monitors = ProcessorModel.Monitors(counters: 31)

    let path = try folder.write("more.json", Array(model.json.utf8))
    let run = try await GuestRun.boot(configuration(.file(path: path), cpus: 1))

    #expect(run.outcome.end == .hostFailure)
    #expect(run.outcome.message.contains("`cpuModel`: this host cannot give 'more': ") || run.report.boots == 0)
    #expect(run.outcome.message.contains("ID_AA64ISAR0_EL1.AES must be 15; this host has "))
    #expect(run.outcome.message.contains("ID_AA64ISAR0_EL1.RNDR must be 15; this host has "))
    #expect(run.report.boots == 0)
  }

  @Test("memory beyond the model's guest addresses is refused")
  func addresses() async throws {
    let folder = try TemporaryFolder()
    var model = try #require(ProcessorModel.shipped(named: "armv8.0-baseline"))
    for index in model.registers.indices where model.registers[index].name == "ID_AA64MMFR0_EL1" {
      model.registers[index].fields?.removeAll { $0.name == "PARange" }
    }
    var configuration = try configuration(
      .file(path: try folder.write("small.json", Array(model.json.utf8))),
      cpus: 1
    )
    configuration.memorySize = 4 << 30

    let host = try KVMHost.processor(for: model)
    let run = try await GuestRun.boot(configuration)

    // Only where the kernel lets it be lowered.
    guard ModelPlan(model, on: host).addressBits(on: host) == 32 else { return }
    #expect(run.outcome.end == .hostFailure)
    #expect(run.outcome.message.contains("has guest addresses of 32 bits, and this machine's memory needs 33"))
  }
}

extension KVMHost {
  /// What KVM shows a vCPU that is made with the parts that a model has.
  static func processor(for model: ProcessorModel) throws -> HostProcessor {
    try HostSurvey.processor(with: model)
  }
}
