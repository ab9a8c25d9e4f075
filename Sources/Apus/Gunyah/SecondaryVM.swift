import CPUModel
import GuestABI
import GuestMemory
import Gunyah
import Host
import KVM
internal import Synchronization

/// A secondary machine's KVM machine, its vCPUs and their threads.
///
/// It has the processor and firmware services that every guest is promised and no more, memory that others lend it, an
/// interrupt controller where its tree has it, and, unless its owner schedules it, a PL011 at Apus's place whose output
/// people can read.
final class SecondaryVM: Sendable {
  let guest: GunyahGuest
  /// The vCPUs as the owner has them, where it schedules them.
  let proxies: [ProxyVCPU]
  /// Where the machine has something already.
  let reserved: [PageRange]
  /// The first address that is too high for it.
  let addressEnd: UInt64

  private let shared: SharedMachine
  private let vcpus: [SecondaryVCPU]
  private let bootIndex: Int
  private let gate: SecondaryGate
  private let console: SecondaryConsole?
  private let exit: Mutex<(@Sendable (MachineExit) -> Void)?>
  private let threads = Mutex<[HostThread]>([])

  private static let addressBits = 40
  /// KVM's slots of it: nothing but pieces.
  private static let slots: Range<UInt32> = 0..<Board.MemorySlot.pieceCount

  /// - Parameters:
  ///   - owner: whose machine it is.
  ///   - memory: what it has already.
  ///   - output: takes each line of its serial port, on a vCPU's thread.
  ///   - exited: called once, on any thread, when the machine has ended by itself.
  /// - Throws: ``KVMError`` or another error of the host's.
  init(
    _ vmid: VMID,
    _ tree: SecondaryTree,
    owner: GunyahGuest,
    memory: [MappedMemory.Piece],
    output: @escaping @Sendable ([UInt8]) -> Void,
    exited: @escaping @Sendable (MachineExit) -> Void
  ) throws {
    let system = try System(path: owner.kvmPath)
    let bits = min(Self.addressBits, system.ipaSizeLimit)
    addressEnd = 1 << UInt64(bits)
    let machine = try system.createVirtualMachine(ipaSize: bits)
    if machine.checkExtension(.armNoSyndromeToUser) > 0 { try machine.enable(.armNoSyndromeToUser) }
    try GunyahHost.takeCalls(of: machine)
    let map = tree.interruptController ?? Self.ownController(machine, cpuCount: tree.cpus.count)
    let vcpus = try tree.cpus.indices.map { SecondaryVCPU(try machine.createVirtualCPU(index: $0)) }
    let controller = try InterruptController(map, machine)
    for (vcpu, cpu) in zip(vcpus, tree.cpus) {
      try vcpu.vcpu.initialize(features: cpu.boots ? .psci02 : [.psci02, .powerOff], machine: machine)
    }
    _ = try vcpus[0].vcpu.applyFirmwareTable()
    try controller.initialize(
      numberOfInterrupts: MemoryMap.interruptCount(virtioDeviceCount: 0, hasHypervisor: true)
    )
    shared = SharedMachine(machine, controller, memory: GuestMemoryMap([]))
    let gate = SecondaryGate(vcpus)
    self.gate = gate
    self.vcpus = vcpus
    bootIndex = tree.cpus.firstIndex(where: \.boots) ?? 0
    guest = GunyahGuest(
      vmid,
      name: "",
      memory: MappedMemory(slots: Self.slots),
      vcpus: gate,
      kvmPath: owner.kvmPath,
      fail: { _ in exited(.fault) },
      tell: { output(Array($0.utf8)) },
      record: owner.record?.secondary(vmid)
    )
    guest.connect(shared)
    if !memory.isEmpty { try guest.changeMemory(removing: [], adding: memory) }
    proxies = tree.isProxyScheduled ? tree.cpus.map { ProxyVCPU(isOn: $0.boots) } : []
    console = tree.isProxyScheduled ? nil : SecondaryConsole(shared, output)
    reserved =
      map.ranges.map { PageRange($0) } + (tree.isProxyScheduled ? [] : [PageRange(MemoryMap.pl011)])
    exit = Mutex(exited)
  }

  /// For a machine whose tree has no interrupt controller: KVM has one all the same, where Apus's machines have it.
  private static func ownController(
    _ machine: borrowing VirtualMachine,
    cpuCount: Int
  ) -> MemoryMap.InterruptControllerMap {
    let version: GICVersion = machine.supports(.vgicV3) ? .v3 : .v2
    return MemoryMap(cpuCount: cpuCount, memorySize: MemoryMap.ramGranule, gic: version).interruptController
  }

  /// Lets the vCPUs run; those but the first wait for PSCI's CPU_ON.
  ///
  /// - Throws: ``KVMError``, or ``HostError`` where the host gives no threads.
  func start(at address: UInt64, deviceTree: UInt64) throws {
    let boot = vcpus[bootIndex]
    try boot.vcpu.setRegister(.programCounter, address)
    try boot.vcpu.setRegister(.general(0), deviceTree)
    for index in vcpus.indices {
      let name = "vm\(guest.vmid.rawValue) vcpu\(index)"
      let thread = try HostThread(name: String(name.prefix(15))) { [unowned self] in run(index) }
      threads.withLock { $0.append(thread) }
      vcpus[index].thread.withLock { $0 = thread }
    }
  }

  /// Ends all vCPUs for good, and waits for them.
  func stop() {
    exit.withLock { $0 = nil }
    gate.close()
    for proxy in proxies { proxy.close() }
    let threads = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for vcpu in vcpus { vcpu.kick() }
    for thread in threads { thread.join() }
    for vcpu in vcpus { vcpu.thread.withLock { $0 = nil } }
    console?.finish()
  }

  private func end(_ how: MachineExit) {
    let exited = exit.withLock { exit in
      defer { exit = nil }
      return exit
    }
    exited?(how)
  }

  // MARK: A vCPU's thread

  private func run(_ index: Int) {
    HostThread.prepareForKicks()
    let vcpu = vcpus[index]
    let proxy = proxies.isEmpty ? nil : proxies[index]
    if index == bootIndex, let proxy, !proxy.waitForOwner() { return }
    while gate.enter() {
      let exit = vcpu.vcpu.run()
      gate.leave()
      guard goesOn(vcpu, proxy, after: exit) else { return }
    }
  }

  private func goesOn(_ runner: SecondaryVCPU, _ proxy: ProxyVCPU?, after exit: VirtualCPUExit) -> Bool {
    switch exit {
    case .hypercall(let number, _):
      guard (try? guest.answer(runner.vcpu, number: number)) != nil else { return fault(proxy) }
    // Before the question whether there was memory: the serial port's addresses never have any.
    case .mmioRead(let address, let width):
      if let (console, offset) = console(at: address, width) {
        runner.vcpu.answerRead(console.read(at: offset, width: width))
      } else if guest.abort(runner.vcpu, at: address) {
        return true
      } else {
        guard let proxy else { return fault(nil) }
        guard case .value(let value)? = proxy.wait(for: .read(address: address, size: UInt64(width))) else {
          return false
        }
        runner.vcpu.answerRead(value)
      }
    case .mmioWrite(let address, let value, let width):
      if let (console, offset) = console(at: address, width) {
        console.write(value, at: offset, width: width)
      } else if guest.abort(runner.vcpu, at: address) {
        return true
      } else {
        guard let proxy else { return fault(nil) }
        return proxy.wait(for: .write(address: address, size: UInt64(width), value: value)) != nil
      }
    case .noSyndrome(_, let address):
      return guest.abort(runner.vcpu, at: address) || fault(proxy)
    case .interrupted: runner.vcpu.kick.setImmediateExit(false)
    case .systemEvent(let event):
      proxy?.post(.poweredOff(isGone: true))
      switch event {
      case .shutdown: end(.off)
      case .reset: end(.reset)
      case .reset2:
        let words = (1...2).map { (try? runner.vcpu.register(.general($0))) ?? 0 }
        // KVM has answered in x0 already, and does not tell which of both forms the guest used: Linux's is of 64 bit.
        end(.reset2(kind: UInt32(truncatingIfNeeded: words[0]), cookie: words[1], is64Bit: true))
      case .crash, .other: end(.fault)
      }
      return false
    case .debug, .refused, .failed, .unexpected: return fault(proxy)
    }
    return true
  }

  /// The serial port, and where in its registers an address is; nil where it is elsewhere, or there is none.
  private func console(at address: UInt64, _ width: Int) -> (SecondaryConsole, offset: UInt64)? {
    guard let console, MemoryMap.pl011.contains(GuestAddress(address), count: UInt64(width)) else { return nil }
    return (console, address - MemoryMap.pl011.start.rawValue)
  }

  private func fault(_ proxy: ProxyVCPU?) -> Bool {
    proxy?.post(.fault)
    end(.fault)
    return false
  }
}

/// One vCPU of a secondary machine, and its thread.
final class SecondaryVCPU: Sendable {
  let vcpu: VirtualCPU
  let thread = Mutex<HostThread?>(nil)

  init(_ vcpu: consuming VirtualCPU) { self.vcpu = vcpu }

  /// Makes it come out of KVM_RUN.
  func kick() {
    vcpu.kick.setImmediateExit(true)
    thread.withLock { $0?.kick() }
  }
}

/// Where a secondary machine's vCPUs pass before and after each KVM_RUN, so that they can be had to stand.
///
/// A ``VCPUHold`` would wait for all vCPUs to come. One that its owner schedules may wait for the owner's answer, and
/// stands as well as in a hold.
final class SecondaryGate: StoppableVCPUs {
  private let vcpus: [SecondaryVCPU]
  private let inside = Atomic(0)
  private let isHeld = Atomic(false)
  private let isClosed = Atomic(false)
  /// Opened by each vCPU that comes out while they are held.
  private let cameOut = Gate()

  private struct Waiting {
    var count = 0
    var gate = Gate()
  }

  private let waiting = Mutex(Waiting())

  init(_ vcpus: [SecondaryVCPU]) { self.vcpus = vcpus }

  /// - Returns: false where the machine ends.
  func enter() -> Bool {
    while true {
      inside.add(1, ordering: .sequentiallyConsistent)
      if isClosed.load(ordering: .sequentiallyConsistent) {
        leave()
        return false
      }
      guard isHeld.load(ordering: .sequentiallyConsistent) else { return true }
      leave()
      let gate = waiting.withLock { waiting -> Gate? in
        guard isHeld.load(ordering: .sequentiallyConsistent) else { return nil }
        waiting.count += 1
        return waiting.gate
      }
      gate?.wait()
    }
  }

  func leave() {
    inside.subtract(1, ordering: .sequentiallyConsistent)
    if isHeld.load(ordering: .sequentiallyConsistent) { cameOut.open() }
  }

  func whileStopped(_ body: @escaping @Sendable () -> Void) -> StopResult {
    isHeld.store(true, ordering: .sequentiallyConsistent)
    while inside.load(ordering: .sequentiallyConsistent) > 0 {
      for vcpu in vcpus { vcpu.kick() }
      cameOut.wait()
    }
    body()
    waiting.withLock { waiting in
      isHeld.store(false, ordering: .sequentiallyConsistent)
      for _ in 0..<waiting.count { waiting.gate.open() }
      waiting = Waiting()
    }
    return .done
  }

  /// The manager's thread ends it itself, and has nothing to wait for.
  func waitForEnd() {}

  func close() { isClosed.store(true, ordering: .sequentiallyConsistent) }
}
