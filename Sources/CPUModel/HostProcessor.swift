internal import Glibc
package import KVM

/// What a host's KVM can show of a processor: read of a vCPU that never ran.
package struct HostProcessor: Equatable, Sendable {
  /// The ID registers, the firmware registers, and PMCR_EL0 where there are monitors, each with what it holds.
  package var registers = RegisterSet()
  /// Which bits of ID registers this kernel lets a monitor change.
  package var masks = WritableMasks.old
  /// The lengths of scalable vectors, none where there are none.
  package var vectorLengths = VectorLengths(bytes: [])
  /// Whether the vCPU was made with performance monitors.
  package var hasMonitors = false
  /// Whether the vCPU was made with pointer authentication.
  package var hasPointerAuthentication = false

  /// A host of which nothing is known.
  package init() {}

  /// Whether a model has to do with a register.
  package static func isOfInterest(_ id: RegisterID) -> Bool {
    IDRegisters.isReserved(id) || id == .cacheType || id.firmware != nil || id == .monitorControl
  }

  /// Looks at a vCPU that was made with features and finalised, and to which nothing was written.
  ///
  /// - Throws: a ``KVM/KVMError`` where KVM does not tell a register.
  package init(
    _ vcpu: borrowing VirtualCPU,
    features: VirtualCPUFeatures,
    masks: WritableMasks
  ) throws(KVMError) {
    self.masks = masks
    hasMonitors = features.contains(.pmuV3)
    hasPointerAuthentication = features.contains(.pointerAuthenticationAddress)
    for id in try vcpu.registerList(where: { Self.isOfInterest($0) }) {
      registers.append(id, try vcpu.register(id))
    }
    if features.contains(.sve) { vectorLengths = try vcpu.vectorLengths() }
  }

  /// How many event counters there are; nil without monitors.
  package var counters: Int? {
    hasMonitors ? registers.value(of: .monitorControl).map { Int($0 >> 11 & 0x1F) } : nil
  }
}

extension VirtualCPU {
  /// The lengths of scalable vectors, where a vCPU has them: those of the host before ``KVM/VirtualCPU/finalizeSVE()``.
  ///
  /// - Throws: a ``KVM/KVMError`` for a vCPU without them.
  package func vectorLengths() throws(KVMError) -> VectorLengths {
    var content: [UInt8] = []
    try appendRegister(.vectorLengths, to: &content)
    return VectorLengths(register: content[...])
  }
}

extension RegisterID {
  /// CTR_EL0.
  package static let cacheType = system(3, 3, 0, 0, 1)
}

extension ProcessorModel {
  /// All that a host shows: the model `host`, written out.
  package init(host: HostProcessor, name: String) {
    self.init(name: name)
    summary = "What one host shows"
    for index in host.registers.ids.indices {
      let id = host.registers.ids[index]
      guard id.firmware == nil, id != .monitorControl, let known = IDRegisters.register(id) else { continue }
      let value = host.registers.value(at: index)
      var fields: [Field] = []
      for part in known.fields where part.value(in: value) != part.absent {
        fields.append(Field(name: part.name, rule: .value(part.value(in: value))))
      }
      if !fields.isEmpty { registers.append(Register(name: known.name, fields: fields)) }
    }
    let psci = host.registers.value(of: FirmwareRegisters.psciVersion) ?? FirmwareRegisters.lowestPSCIVersion
    psciVersion = UInt32(truncatingIfNeeded: min(psci, FirmwareRegisters.highestPSCIVersion))
    // A kernel without the registers gives what it has and takes nothing away.
    for bitmap in FirmwareRegisters.bitmaps {
      guard let offered = host.registers.value(of: bitmap.id) else { continue }
      for service in bitmap.services where service.isExposed && offered & 1 << UInt64(service.bit) != 0 {
        services = (services ?? []) + [service.name]
      }
    }
    vectorLengths = host.vectorLengths.bytes
    if let counters = host.counters { monitors = Monitors(counters: counters) }
    hasPointerAuthentication = host.hasPointerAuthentication
  }
}
