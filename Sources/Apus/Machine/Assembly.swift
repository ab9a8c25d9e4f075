internal import BootImage
import CPUModel
import DeviceTree
import GuestABI
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
  let machine: RunningMachine
  let runners: [VCPURunner]
  let serialPort: SerialPort
  let clock: RealTimeClock
  let panicNotifier: PanicNotifier
  /// The scratch memory of a platform's devices.
  let scratchRegisters: [ScratchRegisters]
  let generationID: GenerationID
  let devices: DeviceSet
  let summary: Report.Machine
  /// Which the vCPUs have.
  let features: VirtualCPUFeatures
  /// What the guest is promised of its processor; nil for what the host shows.
  let model: ProcessorModel?

  /// - Throws: ``KVMError``, ``GuestMemoryError``, ``HostError``, ``FirmwareRegisters/Refusal``, or
  ///   ``ConfigurationError`` for what the configuration asks for and the host does not have.
  init(
    _ checked: CheckedConfiguration,
    _ inputs: Inputs,
    unmapped: UnmappedAccesses,
    loop: EventLoop,
    mailbox: Mailbox,
    debugger: DebuggedMachine?,
    events: MachineEvents,
    restored: RestoredMachine?,
    gunyah: GunyahMembership?,
    logger: Logger
  ) throws {
    let configuration = checked.configuration
    let system = try System(path: configuration.kvmPath)
    let limits = try HostLimits(system, configuration, checked.board)
    let virtualMachine = try system.createVirtualMachine(ipaSize: limits.ipaSize)
    if virtualMachine.checkExtension(.armNoSyndromeToUser) > 0 { try virtualMachine.enable(.armNoSyndromeToUser) }
    if checked.board.isGunyah { try GunyahHost.takeCalls(of: virtualMachine) }
    features =
      restored?.features(available: limits.features(Configuration.CPUFeatures()))
      ?? limits.features(configuration.cpuFeatures, of: inputs.model)
    let wantedGIC = restored?.gic(virtualMachine) ?? configuration.gic
    let gic = try limits.chooseGIC(wantedGIC, cpuCount: configuration.cpuCount, virtualMachine)
    board = checked.board.with(gic, of: configuration)

    let ram = try Self.makeRAM(board, configuration, restored)
    // SAFETY: the RAM lives in the running machine, which every thread that runs a vCPU holds.
    try unsafe virtualMachine.setUserMemoryRegion(
      slot: Board.MemorySlot.ram,
      guestAddress: ram.range.start.rawValue,
      size: ram.range.size,
      hostAddress: ram.hostAddress
    )
    let memory = GuestMemoryMap([ram.inspected()])
    let guest = try gunyah?.join(ram, memory, board, configuration, mailbox, logger)
    let earlyVectors = try EarlyVectors(virtualMachine)
    devices = try DeviceSet(
      board,
      inputs.devices,
      ram: ram,
      dma: configuration.dma,
      memoryLimit: configuration.memoryLimit,
      virtualMachine
    )
    let loader = restored == nil ? try Self.loader(checked, board, inputs, features, guest) : nil
    let placement = try ConfigurationError.loading(configuration) { try loader?.loadFiles(into: ram) }

    runners = try (0..<board.cpuCount).map { VCPURunner(try virtualMachine.createVirtualCPU(index: $0)) }
    let interruptController = try InterruptController(board.map.interruptController, virtualMachine)
    model = inputs.model
    // What comes from a snapshot was promised when its machine started.
    let promise = restored == nil ? ProcessorPromise(inputs.model, board) : nil
    for runner in runners {
      try runner.vcpu.initialize(
        features: runner.vcpu.index == 0 ? features : features.union(.powerOff),
        machine: virtualMachine
      )
      if features.contains(.sve) {
        try restored?.restoreVectorLengths(runner.vcpu)
        try promise?.chooseVectorLengths(of: runner.vcpu)
        try runner.vcpu.finalizeSVE()
      }
    }
    try promise?.keep(on: runners[0].vcpu, features: features, virtualMachine, logger)
    let firmware = try runners[0].vcpu.applyFirmwareTable(model: promise?.model)
    for id in firmware.unknown {
      logger.notice("firmware register \(id) is new to Apus \(ApusVersion.current): the guest does not get it")
    }
    try interruptController.initialize(numberOfInterrupts: board.interruptCount)
    if features.contains(.pmuV3) {
      for runner in runners {
        try runner.vcpu.initializePerformanceMonitors(interrupt: 16 + MemoryMap.PrivateInterrupt.performanceMonitors)
      }
    }

    try restored?.restoreProcessors(virtualMachine, runners, interruptController)

    for piece in [earlyVectors.inspected()] + devices.inspectedWindows { memory.add(piece) }
    let shared = SharedMachine(virtualMachine, interruptController, memory: memory)
    guest?.connect(shared)
    serialPort = try SerialPort(
      interrupt: MachineLevelInterrupt(shared, sharedPeripheralInterrupt: MemoryMap.SharedInterrupt.pl011)
    )
    clock = try RealTimeClock(
      interrupt: MachineLevelInterrupt(shared, sharedPeripheralInterrupt: MemoryMap.SharedInterrupt.pl031)
    )
    var bus = Bus()
    bus.attach(serialPort, at: MemoryMap.pl011)
    bus.attach(clock, at: MemoryMap.pl031)
    panicNotifier = PanicNotifier(mailbox: mailbox)
    bus.attach(panicNotifier, at: MemoryMap.pvpanic)
    scratchRegisters = board.platform.map { bus.attach(devicesOf: $0) } ?? []
    if configuration.dma == .open, !board.devices.isEmpty, board.iommu == nil {
      logger.notice("DMA is open: devices reach all of the guest's memory")
    }
    try devices.plugIn(
      &bus,
      board: board,
      machine: shared,
      loop: loop,
      mailbox: mailbox,
      events: events,
      logger: logger
    )

    try restored?.fill(devices.copiedMemory)
    if let loader, let placement {
      let places = devices.places
      try ConfigurationError.loading(configuration) {
        try loader.writeTree(of: places, placement, dump: configuration.deviceTreeDump, into: ram)
      }
      try runners[0].vcpu.setRegister(.programCounter, placement.entry.rawValue)
      try runners[0].vcpu.setRegister(.general(0), placement.deviceTree.start.rawValue)
      try runners[0].vcpu.setRegister(.vectorBaseEL1, MemoryMap.earlyVectors.start.rawValue)
    }
    machine = RunningMachine(
      machine: shared,
      bus: bus,
      ram: ram,
      hotplugRegions: board.hotplugRegions,
      earlyVectors: earlyVectors,
      unmapped: unmapped,
      mailbox: mailbox,
      debugger: debugger,
      gunyah: guest,
      events: events
    )
    generationID = GenerationID(machine)
    debugger?.limits(
      breakpoints: system.checkExtension(.hardwareBreakpoints),
      watchpoints: system.checkExtension(.hardwareWatchpoints)
    )
    summary = Report.Machine(checked, board, features: features, model: inputs.model, firmware: firmware)
  }

  private static func makeRAM(
    _ board: Board,
    _ configuration: Configuration,
    _ restored: RestoredMachine?
  ) throws -> PrivateRAM {
    if let restored { return try restored.makeRAM(board.map.ram) }
    return try PrivateRAM(range: board.map.ram, pages: PrivateRAM.Pages(configuration.pages))
  }

  private static func loader(
    _ checked: CheckedConfiguration,
    _ board: Board,
    _ inputs: Inputs,
    _ features: VirtualCPUFeatures,
    _ guest: GunyahGuest?
  ) throws(ConfigurationError) -> BootLoader {
    let files = try inputs.bootFiles(of: checked.configuration)
    return BootLoader(
      files: files,
      tree: GuestDeviceTree(
        board: board,
        name: checked.configuration.name,
        identity: checked.uuid,
        hasPerformanceMonitors: features.contains(.pmuV3),
        overlays: files.overlays,
        gunyah: guest?.node
      )
    )
  }
}

extension Assembly {
  /// The peripherals in the order of their addresses, with what the guest did wrong with the registers of each.
  var peripherals: [Report.Peripheral] {
    [
      Report.Peripheral("pl011", serialPort.events),
      Report.Peripheral("pl031", clock.events),
      Report.Peripheral("pvpanic", panicNotifier.events),
    ]
  }
}

/// What this host's KVM can give one machine.
struct HostLimits {
  let ipaSize: Int
  private let available: VirtualCPUFeatures

  /// - Throws: ``ConfigurationError`` for a machine that is too large for the host.
  ///
  /// - Parameter board: as planned, with a GICv3 unless the configuration says otherwise: the larger map.
  init(_ system: borrowing System, _ configuration: Configuration, _ board: Board) throws {
    let maximum = max(1, system.checkExtension(.maximumVCPUs))
    guard configuration.cpuCount <= maximum else {
      throw ConfigurationError(
        .hostFailure,
        .property(.cpuCount),
        "\(configuration.cpuCount) vCPUs are too many: this host's KVM has at most \(maximum); give fewer"
      )
    }
    let map = board.map
    let limit = system.ipaSizeLimit
    guard map.addressBits <= limit else {
      throw ConfigurationError(
        .hostFailure,
        .property(.memorySize),
        """
        \((configuration.memorySize + map.hotplug.reduce(0) { $0 + $1.size }) >> 20) MiB of memory are too many: this \
        host's KVM has guest addresses of \(limit) bits and the machine needs \(map.addressBits); give less
        """
      )
    }
    ipaSize = max(map.addressBits, min(40, limit))
    available = VirtualCPUFeatures(Configuration.CPUFeatures(), on: system)
  }

  /// The features that are asked for, or that the model has, and that the host has.
  func features(_ asked: Configuration.CPUFeatures, of model: ProcessorModel? = nil) -> VirtualCPUFeatures {
    available.intersection(VirtualCPUFeatures(model?.features ?? asked))
  }

  /// - Throws: ``ConfigurationError`` where the host lacks what is asked for.
  func chooseGIC(
    _ wanted: Configuration.GIC,
    cpuCount: Int,
    _ machine: borrowing VirtualMachine
  ) throws -> GICVersion {
    if wanted != .v2, machine.supports(.vgicV3) { return .v3 }
    if wanted != .v3, machine.supports(.vgicV2) {
      guard cpuCount <= MemoryMap.v2CPULimit else {
        throw ConfigurationError(
          .hostFailure,
          .property(.cpuCount),
          """
          \(cpuCount) vCPUs are too many for this host's GICv2, which has at most \(MemoryMap.v2CPULimit); give fewer
          """
        )
      }
      return .v2
    }
    let path = Configuration.Path.property(.gic)
    guard machine.supports(.vgicV2) || machine.supports(.vgicV3) else {
      let reason: ConfigurationError.Reason =
        "this host's KVM emulates no interrupt controller; use a kernel and a CPU with a GIC"
      throw ConfigurationError(.hostFailure, path, reason)
    }
    let available = machine.supports(.vgicV2) ? Configuration.GIC.v2 : .v3
    throw ConfigurationError(
      .hostFailure,
      path,
      """
      this host's KVM has no GIC\(wanted.rawValue); use \(at: path, Configuration.GIC.automatic.rawValue) or \
      \(at: path, available.rawValue)
      """
    )
  }
}

extension VirtualCPUFeatures {
  fileprivate init(_ wanted: Configuration.CPUFeatures) {
    self = .psci02
    if wanted.sve { insert(.sve) }
    if wanted.pmu { insert(.pmuV3) }
    if wanted.pointerAuthentication { formUnion([.pointerAuthenticationAddress, .pointerAuthenticationGeneric]) }
  }

  /// Those that are wanted and that the host has.
  init(_ wanted: Configuration.CPUFeatures, on system: borrowing System) {
    self.init(wanted)
    if wanted.sve, system.checkExtension(.armSVE) <= 0 { remove(.sve) }
    if wanted.pmu, system.checkExtension(.armPMUv3) <= 0 { remove(.pmuV3) }
    let authentication: VirtualCPUFeatures = [.pointerAuthenticationAddress, .pointerAuthenticationGeneric]
    if wanted.pointerAuthentication,
      system.checkExtension(.armPointerAuthenticationAddress) <= 0
        || system.checkExtension(.armPointerAuthenticationGeneric) <= 0
    {
      subtract(authentication)
    }
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
  ///
  /// - Parameter model: what the guest is promised besides, or nil.
  func applyFirmwareTable(model: ProcessorModel? = nil) throws -> FirmwareRegisters.Plan {
    var host: [FirmwareRegisters.HostRegister] = []
    for id in try registerList(where: { $0.firmware != nil }) { host.append(.init(id: id, value: try register(id))) }
    let plan = try FirmwareRegisters.plan(host: host, model: model)
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
