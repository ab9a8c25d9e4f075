internal import BootImage
import DeviceTree
import GuestMemory
import Host
import HostBackends
import KVM
internal import Logging
import Peripherals

/// A machine that is ready to run: everything between a checked configuration and the first instruction.
///
/// One direction, no step looks back: KVM, memory, the kernel in it, vCPUs, interrupt controller, registers, devices.
struct Assembly {
  let board: Board
  let runners: [VCPURunner]
  let serialPort: SerialPort
  let clock: RealTimeClock
  let panicNotifier: PanicNotifier
  let devices: VirtioDeviceSet
  let summary: Report.Machine

  /// - Throws: ``KVMError``, ``GuestMemoryError``, ``BootImageError``, ``HostError``, ``DeviceTreeError``,
  ///   ``FirmwareRegisters/Refusal`` or ``UnsuitableHost``; ``Outcome/init(failure:)`` knows them.
  init(
    _ configuration: Configuration,
    endpoints: [PortEndpoint],
    unmapped: UnmappedAccesses,
    loop: EventLoop,
    verdict: Verdict,
    logger: Logger
  ) throws {
    let system = try System(path: configuration.kvmPath)
    let limits = try HostLimits(system, configuration)
    let machine = try system.createVirtualMachine(ipaSize: limits.ipaSize)
    if machine.checkExtension(.armNoSyndromeToUser) > 0 { try machine.enable(.armNoSyndromeToUser) }
    let gic = try limits.chooseGIC(configuration.gic, cpuCount: configuration.cpuCount, machine)
    let map = MemoryMap(configuration, gic: gic)
    let features = limits.features(configuration.cpuFeatures)

    let ram = try PrivateRAM(range: map.ram, pages: PrivateRAM.Pages(configuration.pages))
    // SAFETY: the RAM lives on the board, which every thread that runs a vCPU holds.
    try unsafe machine.setUserMemoryRegion(
      slot: 0,
      guestAddress: map.ram.start.rawValue,
      size: map.ram.size,
      hostAddress: ram.hostAddress
    )
    let earlyVectors = try EarlyVectors(machine)
    devices = try VirtioDeviceSet(configuration, map, ram: ram, machine)
    let loader = try BootLoader(configuration, map, hasPerformanceMonitors: features.contains(.pmuV3))
    let start = try loader.load(into: ram)

    let runners = try (0..<configuration.cpuCount).map { VCPURunner(try machine.createVirtualCPU(index: $0)) }
    let interruptController = try InterruptController(map.interruptController, machine)
    for runner in runners {
      try runner.vcpu.initialize(features: runner.vcpu.index == 0 ? features : [features, .powerOff], machine: machine)
      if features.contains(.sve) { try runner.vcpu.finalizeSVE() }
    }
    let firmware = try runners[0].vcpu.applyFirmwareTable()
    for id in firmware.unknown {
      logger.notice("firmware register \(id) is new to Apus \(ApusVersion.current): the guest does not get it")
    }
    try interruptController.initialize(numberOfInterrupts: configuration.interruptCount)
    if features.contains(.pmuV3) {
      for runner in runners {
        try runner.vcpu.initializePerformanceMonitors(interrupt: 16 + MemoryMap.PrivateInterrupt.performanceMonitors)
      }
    }
    try runners[0].vcpu.setRegister(.programCounter, start.entry.rawValue)
    try runners[0].vcpu.setRegister(.general(0), start.deviceTree.rawValue)
    try runners[0].vcpu.setRegister(.vectorBaseEL1, MemoryMap.earlyVectors.start.rawValue)

    let shared = SharedMachine(machine, interruptController)
    serialPort = try SerialPort(
      interrupt: MachineLevelInterrupt(shared, sharedPeripheralInterrupt: MemoryMap.SharedInterrupt.pl011)
    )
    clock = try RealTimeClock(
      interrupt: MachineLevelInterrupt(shared, sharedPeripheralInterrupt: MemoryMap.SharedInterrupt.pl031)
    )
    var bus = Bus()
    bus.attach(serialPort, at: MemoryMap.pl011)
    bus.attach(clock, at: MemoryMap.pl031)
    panicNotifier = PanicNotifier(verdict: verdict)
    bus.attach(panicNotifier, at: MemoryMap.pvpanic)
    if let place = configuration.scmiPlace { bus.attach(devicesOf: MachineTree.SCMI(place)) }
    try devices.plugIn(
      &bus,
      machine: shared,
      endpoints: endpoints,
      loop: loop,
      verdict: verdict,
      logger: logger
    )
    board = Board(
      machine: shared,
      bus: bus,
      ram: ram,
      earlyVectors: earlyVectors,
      unmapped: unmapped,
      verdict: verdict
    )
    self.runners = runners
    summary = Report.Machine(configuration, gic: gic, features: features, firmware: firmware)
  }
}

extension Assembly {
  /// The peripherals in the order of their addresses, with what the guest did wrong with the registers of each.
  var peripheralEvents: [(name: String, events: RegisterEvents)] {
    [("pl011", serialPort.events), ("pl031", clock.events), ("pvpanic", panicNotifier.events)]
  }
}

/// A host that cannot carry the machine that was asked for.
struct UnsuitableHost: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// What this host's KVM can give one machine.
struct HostLimits {
  let ipaSize: Int
  private let hasSVE: Bool
  private let hasPMU: Bool
  private let hasPointerAuthentication: Bool

  /// - Throws: ``UnsuitableHost`` for a machine that is too large for the host.
  init(_ system: borrowing System, _ configuration: Configuration) throws {
    let maximum = max(1, system.checkExtension(.maximumVCPUs))
    guard configuration.cpuCount <= maximum else {
      throw UnsuitableHost(
        "\(configuration.cpuCount) vCPUs are too many: this host's KVM has at most \(maximum); give a smaller --cpus"
      )
    }
    // The GICv3 map is the larger one.
    let map = MemoryMap(configuration, gic: .v3)
    let limit = system.ipaSizeLimit
    guard map.addressBits <= limit else {
      throw UnsuitableHost(
        "\(configuration.memorySize >> 20) MiB of memory are too many: this host's KVM has guest addresses of "
          + "\(limit) bits and the machine needs \(map.addressBits); give a smaller --memory"
      )
    }
    ipaSize = max(map.addressBits, min(40, limit))
    hasSVE = system.checkExtension(.armSVE) > 0
    hasPMU = system.checkExtension(.armPMUv3) > 0
    hasPointerAuthentication =
      system.checkExtension(.armPointerAuthenticationAddress) > 0
      && system.checkExtension(.armPointerAuthenticationGeneric) > 0
  }

  /// The features that are asked for and that the host has.
  func features(_ wanted: Configuration.CPUFeatures) -> VirtualCPUFeatures {
    var features: VirtualCPUFeatures = .psci02
    if wanted.sve, hasSVE { features.insert(.sve) }
    if wanted.pmu, hasPMU { features.insert(.pmuV3) }
    if wanted.pointerAuthentication, hasPointerAuthentication {
      features.formUnion([.pointerAuthenticationAddress, .pointerAuthenticationGeneric])
    }
    return features
  }

  /// - Throws: ``UnsuitableHost`` where the host lacks what is asked for.
  func chooseGIC(
    _ wanted: Configuration.GIC,
    cpuCount: Int,
    _ machine: borrowing VirtualMachine
  ) throws -> GICVersion {
    if wanted != .v2, machine.supports(.vgicV3) { return .v3 }
    if wanted != .v3, machine.supports(.vgicV2) {
      guard cpuCount <= MemoryMap.v2CPULimit else {
        throw UnsuitableHost(
          "\(cpuCount) vCPUs are too many for this host's GICv2, which has at most \(MemoryMap.v2CPULimit); "
            + "give a smaller --cpus"
        )
      }
      return .v2
    }
    let available = [machine.supports(.vgicV2) ? "2" : nil, machine.supports(.vgicV3) ? "3" : nil].compactMap(\.self)
    guard !available.isEmpty else {
      throw UnsuitableHost("this host's KVM emulates no interrupt controller; use a kernel and a CPU with a GIC")
    }
    throw UnsuitableHost(
      "this host's KVM has no GICv\(wanted.rawValue); use --gic auto or --gic \(available.joined(separator: " or "))"
    )
  }
}

extension PrivateRAM.Pages {
  init(_ wanted: Configuration.Pages) {
    self =
      switch wanted {
      case .hugeWherePossible: .hugeWherePossible
      case .huge: .huge
      case .small: .small
      }
  }
}

extension InterruptController {
  /// Creates the controller that the map describes.
  init(_ map: MemoryMap.InterruptControllerMap, _ machine: borrowing VirtualMachine) throws(KVMError) {
    switch map {
    case .v2(let distributor, let cpuInterface):
      try self.init(
        v2Distributor: distributor.start.rawValue,
        cpuInterface: cpuInterface.start.rawValue,
        machine: machine
      )
    case .v3(let distributor, let redistributors):
      try self.init(
        v3Distributor: distributor.start.rawValue,
        redistributors: redistributors.map {
          RedistributorRegion(base: $0.start.rawValue, count: Int($0.size / MemoryMap.redistributorSize))
        },
        machine: machine
      )
    }
  }
}

extension VirtualCPU {
  /// Shows the guest what ``FirmwareRegisters`` says and nothing else. Before the first run; it holds for all vCPUs.
  func applyFirmwareTable() throws -> FirmwareRegisters.Plan {
    var host: [FirmwareRegisters.HostRegister] = []
    for id in try registerList(where: { $0.firmware != nil }) { host.append(.init(id: id, value: try register(id))) }
    let plan = try FirmwareRegisters.plan(host: host)
    for write in plan.writes { try setRegister(write.id, write.value) }
    return plan
  }

  /// KVM_ARM_VCPU_PMU_V3_CTRL: the interrupt (a private one, counted with the software generated ones) and the start.
  func initializePerformanceMonitors(interrupt: UInt32) throws(KVMError) {
    let group: UInt32 = 0
    try setAttribute(group: group, attribute: 0, value: interrupt)
    try setAttribute(group: group, attribute: 1)
  }
}
