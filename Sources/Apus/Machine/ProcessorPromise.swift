import CPUModel
import GuestABI
import Host
import KVM
internal import Logging

/// A model of a processor, on its way to a machine's vCPUs.
final class ProcessorPromise {
  let model: ProcessorModel
  /// How many bits the guest-physical addresses of the machine have.
  private let addressBits: Int
  /// Of the host, before any vCPU was restricted.
  private var hostLengths: VectorLengths?

  /// - Returns: nil without a model: then the guest is promised what the host shows.
  init?(_ model: ProcessorModel?, _ board: Board) {
    guard let model else { return nil }
    self.model = model
    addressBits = board.map.addressBits
  }

  /// Restricts the lengths of scalable vectors of a vCPU that has them and was not finalised.
  ///
  /// - Throws: ``KVMError``.
  func chooseVectorLengths(of vcpu: borrowing VirtualCPU) throws(KVMError) {
    let host = try vcpu.vectorLengths()
    hostLengths = host
    let wanted = VectorLengths(bytes: model.vectorLengths)
    // What the host cannot give is refused with all else.
    if wanted.canBeGiven(by: host) { try vcpu.setRegister(.vectorLengths, bytes: wanted.register.span) }
  }

  /// Has all vCPUs show the model. Before the firmware table and the first run.
  ///
  /// - Throws: ``ConfigurationError`` with all that the host cannot give, before anything is written; ``KVMError``.
  func keep(
    on vcpu: borrowing VirtualCPU,
    features: VirtualCPUFeatures,
    _ machine: borrowing VirtualMachine,
    _ logger: Logger
  ) throws {
    let masks = WritableMasks(try machine.writableMasks())
    var host = try HostProcessor(vcpu, features: features, masks: masks)
    if let hostLengths { host.vectorLengths = hostLengths }
    let plan = ModelPlan(model, on: host)
    var refusals = plan.refusals
    if let bits = plan.addressBits(on: host), bits < addressBits {
      refusals.append("has guest addresses of \(bits) bits, and this machine's memory needs \(addressBits)")
    }
    if refusals.isEmpty { refusals = try plan.carryOut(on: vcpu) }
    guard refusals.isEmpty else {
      let reason = "this host cannot give '\(model.name)': \(refusals.joined(separator: "; "))"
      throw ConfigurationError(.hostFailure, .property(.cpuModel), .init(reason))
    }
    if !plan.shown.isEmpty {
      logger.notice(
        "CPU model \(model.name): the guest sees what this host's kernel fixes (\(plan.shown.count) fields)"
      )
      for field in plan.shown { logger.debug("CPU model \(model.name): \(field)") }
    }
  }
}

extension ProcessorModel {
  /// The parts of a processor that KVM turns on as a whole.
  var features: Configuration.CPUFeatures {
    var features = Configuration.CPUFeatures()
    features.sve = !vectorLengths.isEmpty
    features.pmu = monitors != nil
    features.pointerAuthentication = hasPointerAuthentication
    return features
  }
}
