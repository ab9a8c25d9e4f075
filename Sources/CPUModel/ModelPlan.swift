package import KVM

/// What to write into a host's ID registers so that a guest sees a model, and what the host cannot give of it.
package struct ModelPlan: Equatable, Sendable {
  /// A register with what is to be written to it.
  package struct Write: Equatable, Sendable {
    /// The register.
    package let id: RegisterID
    /// What is written to it.
    package let value: UInt64
  }

  /// The registers to write, in order, on one vCPU for all.
  package private(set) var writes: [Write] = []
  /// Fields that the guest sees though the model does not have them: the model lets the kernel fix them.
  package private(set) var shown: [String] = []
  /// Fields that are not as the model has them and tell a guest nothing, each with why that is.
  package private(set) var harmless: [String] = []
  /// What the host cannot give, all of it. Nothing is written where there is any.
  package private(set) var refusals: [String] = []

  /// Compares a model with a host.
  ///
  /// - Parameters:
  ///   - model: what the guest is to see.
  ///   - host: a vCPU that was made with the features that the model has and the host gives.
  package init(_ model: ProcessorModel, on host: HostProcessor) {
    compareParts(model, host)
    for index in host.registers.ids.indices {
      let id = host.registers.ids[index]
      guard id.firmware == nil, id != .monitorControl, let register = IDRegisters.register(id) else { continue }
      compare(id, register, model[register.name], host, showsAll: model.showsFixedFields)
    }
    for register in model.registers where !host.lists(register.name) && register.fields?.isEmpty == false {
      refusals.append("needs \(register.name); this host's KVM has no such register")
    }
    compareFirmware(model, host)
  }

  private mutating func compareParts(_ model: ProcessorModel, _ host: HostProcessor) {
    if !model.vectorLengths.isEmpty {
      let wanted = VectorLengths(bytes: model.vectorLengths)
      if !wanted.canBeGiven(by: host.vectorLengths) { refusals.append(wanted.refusal(host.vectorLengths)) }
    }
    if model.hasPointerAuthentication, !host.hasPointerAuthentication {
      refusals.append("needs \(Contract.Feature.authentication.rawValue); this host's KVM gives none")
    }
    guard let monitors = model.monitors else { return }
    guard let there = host.counters else {
      refusals.append("needs \(Contract.Feature.monitors.rawValue); this host's KVM gives none")
      return
    }
    guard let wanted = monitors.counters, wanted != there else { return }
    if wanted > there {
      refusals.append("needs \(wanted) event counters; this host has \(there)")
    } else if host.masks == .old {
      refusals.append("needs \(wanted) event counters; this kernel fixes \(there)")
    } else if let control = host.registers.value(of: .monitorControl) {
      writes.append(Write(id: .monitorControl, value: control & ~(0x1F << 11) | UInt64(wanted) << 11))
    }
  }

  private mutating func compare(
    _ id: RegisterID,
    _ known: IDRegister,
    _ named: ProcessorModel.Register?,
    _ host: HostProcessor,
    showsAll: Bool
  ) {
    let given = host.registers.value(of: id) ?? 0
    let writable = host.masks.mask(of: id)
    // What reads the same for all, a register of a processor without AArch32 say, needs no look at its fields.
    if given == 0, named == nil, !known.fields.contains(where: { $0.absent != 0 }) { return }
    var parts = known.parts(of: given)
    for field in named?.fields ?? [] where !parts.contains(where: { $0.name == field.name }) {
      if let part = known.part(named: field.name) { parts.append(part) }
    }
    var value = given
    for part in parts {
      let there = part.value(in: given)
      let field = named?.field(part.name, part)
      // A part that nobody names is not there, but what only a hypervisor sees may be as it is.
      let wanted: UInt64
      switch field?.rule ?? .value(named == nil && part.harmless != nil ? there : part.absent) {
      case .host: wanted = there
      case .atMost(let most): wanted = part.minimum(most, there)
      case .value(let exact): wanted = exact
      }
      guard wanted != there else { continue }
      let isCovered = part.isCovered(wanted, by: there)
      if isCovered, writable & part.mask == part.mask {
        value = part.replacing(in: value, with: wanted)
        continue
      }
      let name = "\(known.name).\(part.name)"
      if let harmless = part.harmless {
        self.harmless.append("\(name) is \(part.text(there)): \(harmless)")
      } else if isCovered, showsAll || field?.isShownWhereFixed == true {
        shown.append("\(name) is \(part.text(there))")
      } else if isCovered {
        refusals.append("\(name) must be \(part.text(wanted)); this kernel fixes \(part.text(there))")
      } else {
        refusals.append("\(name) must be \(part.text(wanted)); this host has \(part.text(there))")
      }
    }
    if value != given { writes.append(Write(id: id, value: value)) }
  }

  private mutating func compareFirmware(_ model: ProcessorModel, _ host: HostProcessor) {
    if let wanted = model.psciVersion {
      let there = host.registers.value(of: FirmwareRegisters.psciVersion) ?? 0
      if UInt64(wanted) > there {
        let (needed, present) = (ProcessorModel.text(psci: UInt64(wanted)), ProcessorModel.text(psci: there))
        refusals.append("needs PSCI \(needed); this host's KVM has \(present)")
      }
    }
    guard let services = model.services else { return }
    for bitmap in FirmwareRegisters.bitmaps {
      // A kernel without the register, before Linux 6.0, gives all services that it has, and tells of none.
      guard let offered = host.registers.value(of: bitmap.id) else { continue }
      for service in bitmap.services where services.contains(service.name) && offered & 1 << UInt64(service.bit) == 0 {
        refusals.append("needs \(bitmap.name) with \(service.name); this host's KVM does not have it")
      }
    }
  }
}

extension ModelPlan {
  /// How many bits of physical address a guest sees that its processor has; nil where that is not known.
  package func addressBits(on host: HostProcessor) -> Int? {
    let id = RegisterID.system(3, 0, 0, 7, 0)
    guard let value = writes.last(where: { $0.id == id })?.value ?? host.registers.value(of: id) else { return nil }
    let bits = [32, 36, 40, 42, 44, 48, 52, 56]
    let range = Int(value & 0xF)
    return range < bits.count ? bits[range] : nil
  }

  /// Writes the plan's registers into a vCPU that has not run, which is for all of the machine.
  ///
  /// - Returns: what the kernel refused, or took and reads back otherwise.
  /// - Throws: a ``KVM/KVMError`` where a register cannot be read.
  package func carryOut(on vcpu: borrowing VirtualCPU) throws(KVMError) -> [String] {
    var refused: [String] = []
    for write in writes {
      do throws(KVMError) {
        try vcpu.setRegister(write.id, write.value)
      } catch {
        // What it holds says as much as the error.
      }
      let there = try vcpu.register(write.id)
      let mask = Contract.row(write.id)?.mask ?? .max
      if (there ^ write.value) & mask != 0 {
        let name = SystemRegisters.name(write.id)
        refused.append("\(name) must be \(write.value.hexadecimal); this kernel keeps \(there.hexadecimal)")
      }
    }
    return refused
  }
}

extension HostProcessor {
  fileprivate func lists(_ name: String) -> Bool {
    IDRegisters.register(named: name).map { registers.contains($0.id) } ?? false
  }
}

extension IDField {
  /// A value as a file has it: below zero where the field has a sign.
  func text(_ value: UInt64) -> String {
    order == .signed && value > limit / 2 ? "-\(limit - value + 1)" : "\(value)"
  }
}

extension ProcessorModel {
  /// A version of PSCI as a file has it, such as `1.1`.
  static func text(psci version: UInt64) -> String { "\(version >> 16).\(version & 0xFFFF)" }
}
