import GuestABI
import GuestMemory
import Host
import KVM
internal import Synchronization

/// How often a vCPU came back to user space, by kind.
public struct ExitCounts: Equatable, Sendable, Encodable {
  /// Reads answered by a device.
  public var mmioReads: UInt64 = 0
  /// Writes taken by a device.
  public var mmioWrites: UInt64 = 0
  /// Reads where nothing is that gave 0; see ``Configuration/UnmappedPolicy``.
  public var unmappedReads: UInt64 = 0
  /// Writes where nothing is that were dropped.
  public var unmappedWrites: UInt64 = 0
  /// Ends and resets.
  public var systemEvents: UInt64 = 0
  /// Signals and kicks.
  public var interruptions: UInt64 = 0

  /// All together.
  public var total: UInt64 {
    mmioReads + mmioWrites + unmappedReads + unmappedWrites + systemEvents + interruptions
  }

  static func + (left: ExitCounts, right: ExitCounts) -> ExitCounts {
    ExitCounts(
      mmioReads: left.mmioReads + right.mmioReads,
      mmioWrites: left.mmioWrites + right.mmioWrites,
      unmappedReads: left.unmappedReads + right.unmappedReads,
      unmappedWrites: left.unmappedWrites + right.unmappedWrites,
      systemEvents: left.systemEvents + right.systemEvents,
      interruptions: left.interruptions + right.interruptions
    )
  }
}

/// One vCPU and the thread that runs it, as the device thread sees them.
final class VCPURunner: Sendable {
  /// Only its own thread runs it. It lives as long as the runner, so a kick never comes too late.
  let vcpu: VirtualCPU
  private let counts = Mutex(ExitCounts())

  /// Raised with each exit, so that the watchdog can tell a vCPU that computes from one that hangs.
  private let progress = Atomic<UInt64>(0)
  private let isInspectionWanted = Atomic(false)

  init(_ vcpu: consuming VirtualCPU) {
    self.vcpu = vcpu
  }

  /// How often the vCPU came back, once its thread has ended.
  var exitCounts: ExitCounts { counts.withLock { $0 } }

  /// How far the vCPU has come: a number that grows with every exit.
  var exitsSoFar: UInt64 { progress.load(ordering: .relaxed) }

  /// The body of the vCPU's thread. Returns when the machine stops or the vCPU cannot go on.
  func run(on machine: RunningMachine, onFirstEntry: () -> Void) {
    HostThread.prepareForKicks()
    onFirstEntry()
    let counts = loop(machine)
    self.counts.withLock { $0 = counts }
  }

  /// Makes the vCPU's thread look at what ``RunningMachine`` wants of it, and at wanted inspections.
  func kick(_ thread: HostThread) {
    vcpu.kick.setImmediateExit(true)
    thread.kick()
  }

  /// Asks for a look at the vCPU's registers; see ``AbortLoop``.
  func inspect(_ thread: HostThread) {
    isInspectionWanted.store(true, ordering: .releasing)
    kick(thread)
  }

  private func loop(_ machine: RunningMachine) -> ExitCounts {
    var counts = ExitCounts()
    var exits: UInt64 = 0
    var place = Bus.Place()
    var formerSuspicion: String?
    while true {
      exits &+= 1
      progress.store(exits, ordering: .relaxed)
      switch vcpu.run() {
      case .mmioRead(let address, let width):
        guard let value = machine.bus.read(address, width: width, near: &place) else {
          if let gunyah = machine.gunyah, gunyah.abort(vcpu, at: address) { continue }
          guard passes(machine, unmapped: "reads", address, width) else { return counts }
          counts.unmappedReads &+= 1
          vcpu.answerRead(0)
          continue
        }
        counts.mmioReads &+= 1
        vcpu.answerRead(value)
      case .mmioWrite(let address, let value, let width):
        guard machine.bus.write(value, at: address, width: width, near: &place) else {
          if let gunyah = machine.gunyah, gunyah.abort(vcpu, at: address) { continue }
          guard passes(machine, unmapped: "writes", address, width) else { return counts }
          counts.unmappedWrites &+= 1
          continue
        }
        counts.mmioWrites &+= 1
      case .interrupted:
        counts.interruptions &+= 1
        // Being looked at is no progress.
        exits &-= 1
        vcpu.kick.setImmediateExit(false)
        if machine.isStopping.load(ordering: .acquiring) { return counts }
        if machine.hold.isWanted { machine.hold.wait(vcpu.index) }
        if machine.isStopping.load(ordering: .acquiring) { return counts }
        guard isInspectionWanted.exchange(false, ordering: .acquiring) else { continue }
        let suspicion = AbortLoop(vcpu)?.reason(executableAt: machine.mayExecute)
        // A vCPU that another is just turning on may look like this once.
        if let suspicion, suspicion == formerSuspicion {
          fault(machine, suspicion)
          return counts
        }
        formerSuspicion = suspicion
      case .debug(let syndrome, let address):
        counts.interruptions &+= 1
        guard let debugger = machine.debugger else {
          end(machine, after: .debug(syndrome: syndrome, address: address))
          return counts
        }
        // Where it is the debugger's affair, this vCPU is kicked like the others, and waits with them.
        debugger.vcpuCameBack(self, syndrome: syndrome, address: address)
      case .hypercall(let number, _):
        guard answers(machine, number) else { return counts }
      case .noSyndrome(_, let address) where machine.gunyah?.abort(vcpu, at: address) == true: continue
      case .systemEvent(let event):
        counts.systemEvents &+= 1
        machine.mailbox.give(Self.outcome(of: event))
        return counts
      case let exit:
        end(machine, after: exit)
        return counts
      }
    }
  }

  /// Whether the guest goes on after an access to where nothing is. Where it does not, the machine has its verdict.
  ///
  /// Never inlined: what it takes to tell somebody would crowd the registers of the loop.
  @inline(never)
  private func passes(_ machine: RunningMachine, unmapped verb: String, _ address: UInt64, _ width: Int) -> Bool {
    if address == EarlyVectors.trap, let reason = EarlyVectors.reason(vcpu) {
      fault(machine, reason)
      return false
    }
    let policy = machine.unmapped
    if policy.passes, policy.isTold { return true }
    let nothing = machine.nothing(at: address, else: "where there is neither memory nor a device")
    let access = "\(verb) \(width) bytes at \(hexadecimalNumber(address)), \(nothing)"
    if policy.passes {
      policy.tell(cpu: vcpu.index, access)
      return true
    }
    fault(machine, access)
    return false
  }

  /// Whether the guest goes on after a call.
  @inline(never)
  private func answers(_ machine: RunningMachine, _ number: UInt32) -> Bool {
    // SAFETY: the machine keeps it longer than the call.
    guard let gunyah = unsafe machine.uncountedGunyah else {
      preconditionFailure("calls come where somebody asked for them")
    }
    // SAFETY: as above.
    let answer = unsafe gunyah._withUnsafeGuaranteedRef { gunyah in
      Result { () throws(KVMError) in try gunyah.answer(vcpu, number: number) }
    }
    guard case .failure(let error) = answer else { return true }
    refuse(machine, error)
    return false
  }

  /// Never inlined: what it takes to tell would have each call save registers for it.
  @inline(never)
  private func refuse(_ machine: RunningMachine, _ error: KVMError) {
    machine.mailbox.give(Outcome(.hostFailure, "vCPU \(vcpu.index): \(error)"))
  }

  private static func outcome(of event: SystemEvent) -> Outcome {
    switch event {
    case .shutdown: Outcome(.poweredOff, "the guest powered off")
    case .reset, .reset2: Outcome(.reset, "the guest reset the machine")
    case .crash: Outcome(.panicked, "the guest reported a crash")
    case .other(let type): Outcome(.hostFailure, "KVM reported system event \(type), which Apus does not know")
    }
  }

  /// Exits that no vCPU goes on from.
  private func end(_ machine: RunningMachine, after exit: VirtualCPUExit) {
    switch exit {
    case .noSyndrome(_, let address):
      fault(
        machine,
        "accesses \(hexadecimalNumber(address)), \(machine.nothing(at: address, else: "where there is no memory")), "
          + "by an instruction that no device can answer "
          + "(a pair of registers, an atomic or a vector)"
      )
    case .refused(let errno):
      let error = KVMError.call("KVM_RUN", errno: errno)
      machine.mailbox.give(Outcome(.hostFailure, "vCPU \(vcpu.index): \(error)"))
    case .failed(let reason), .unexpected(let reason):
      machine.mailbox.give(
        Outcome(.hostFailure, "vCPU \(vcpu.index): KVM cannot go on (exit reason \(reason)); 'dmesg' may tell why")
      )
    case .debug:
      machine.mailbox.give(
        Outcome(.hostFailure, "vCPU \(vcpu.index): KVM reported a debug event that nobody asked for")
      )
    case .mmioRead, .mmioWrite, .interrupted, .systemEvent, .hypercall:
      preconditionFailure("the loop goes on after these")
    }
  }

  private func fault(_ machine: RunningMachine, _ reason: String) {
    let fault = GuestFault(reason: reason, cpu: vcpu.index, registers: vcpu.faultRegisters())
    machine.mailbox.give(Outcome(.guestFault(fault), "vCPU \(vcpu.index) \(reason)"))
  }
}

extension VirtualCPU {
  /// The registers that tell what a guest was about, in the order to print them.
  borrowing func faultRegisters() -> [GuestFault.Register] {
    let named: [(String, RegisterID)] =
      [
        ("PC", .programCounter), ("PSTATE", .processorState), ("SP", .stackPointer), ("SP_EL1", .stackPointerEL1),
        ("ESR", .exceptionSyndromeEL1), ("FAR", .faultAddressEL1), ("ELR", .exceptionLinkEL1), ("VBAR", .vectorBaseEL1),
        ("SCTLR", .systemControlEL1),
      ] + (0...30).map { ("X\($0)", .general($0)) }
    // A register that cannot be read is left out rather than shown as something that it may not be.
    var registers: [GuestFault.Register] = []
    for (name, id) in named {
      guard let value = try? register(id) else { continue }
      let isSet =
        switch id {
        case .exceptionSyndromeEL1, .faultAddressEL1: value != RegisterID.resetPattern
        case .vectorBaseEL1: value != MemoryMap.earlyVectors.start.rawValue
        default: true
        }
      registers.append(GuestFault.Register(name: name, value: isSet ? value : nil))
    }
    return registers
  }
}
