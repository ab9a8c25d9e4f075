import AArch64
import GuestABI
import GuestMemory
import Gunyah
import KVM
internal import Synchronization

/// One machine as the hypervisor Gunyah has it: what its hypercalls come to.
///
/// Calls come on the vCPUs' threads and are answered there. Their locks are the machine's capabilities', then an
/// object's, then the memory's; no device has any of these.
final class GunyahGuest: Sendable {
  let vmid: VMID
  /// Its name, by which devices of others' lead to it.
  let name: String
  /// What its vCPUs reach of RAM.
  let memory: MappedMemory
  /// The machine's end of its link to the resource manager.
  let link: GunyahLink
  /// How its vCPUs are had to stand.
  let vcpus: any StoppableVCPUs
  /// KVM's device, for machines that it makes.
  let kvmPath: String
  /// Ends the machine, for a reason in words.
  let fail: @Sendable (String) -> Void
  /// Takes what the people whose machine it is should know.
  let tell: @Sendable (String) -> Void
  /// Where all that it calls is written down, and under which name; nil: nowhere.
  let record: GunyahRecorder.Machine?

  private struct State {
    var capabilities: GunyahCapabilities
    /// Numbers of interrupts that nobody has, counted from 0; the last one is next.
    var freeInterrupts: [UInt32]
    /// Those that its device tree has asked for among those of devices.
    var ownInterrupts: [UInt32] = []
    /// From its assembly on.
    var machine: SharedMachine?
    /// Of objects that were there before it.
    var fixed = FixedObjects.Ends()
  }

  private let state: Mutex<State>
  private let calls = Atomic<UInt64>(0)
  private let aborts = Atomic<UInt64>(0)

  /// - Parameters:
  ///   - vmid: by which others know it.
  ///   - name: by which devices of others' lead to it.
  ///   - memory: what its vCPUs reach of RAM.
  ///   - vcpus: how they are had to stand.
  ///   - kvmPath: KVM's device.
  ///   - fail: ends the machine, on any thread, for a reason in words.
  ///   - tell: takes, on any thread, what the people whose machine it is should know: one line for any terminal.
  ///   - record: where all that it calls is written down, or nil.
  init(
    _ vmid: VMID,
    name: String,
    memory: MappedMemory,
    vcpus: any StoppableVCPUs,
    kvmPath: String,
    fail: @escaping @Sendable (String) -> Void,
    tell: @escaping @Sendable (String) -> Void,
    record: GunyahRecorder.Machine?
  ) {
    self.vmid = vmid
    self.name = name
    self.record = record
    self.tell = tell
    self.memory = memory
    self.vcpus = vcpus
    self.kvmPath = kvmPath
    self.fail = fail
    var capabilities = GunyahCapabilities()
    link = GunyahLink(GunyahLink.Queues(), &capabilities)
    let first = MemoryMap.SharedInterrupt.hypervisor
    let ofLink: UInt32 = 2
    let free = first + ofLink..<first + MemoryMap.SharedInterrupt.hypervisorCount
    state = Mutex(State(capabilities: capabilities, freeInterrupts: free.reversed()))
  }

  /// How often the guest has called.
  var callCount: UInt64 { calls.load(ordering: .relaxed) }
  /// How often it got an abort for memory that is another machine's.
  var abortCount: UInt64 { aborts.load(ordering: .relaxed) }

  /// Gets its ends of objects that were there before it. Before ``connect(_:)``.
  func take(_ ends: FixedObjects.Ends) { state.withLock { $0.fixed = ends } }

  /// Its ends of objects that were there before it.
  var fixed: FixedObjects.Ends { state.withLock(\.fixed) }

  /// What its device tree has of the hypervisor.
  var node: MachineTree.Gunyah {
    MachineTree.Gunyah(transmit: link.transmit.rawValue, receive: link.receive.rawValue, devices: fixed.nodes)
  }

  /// Says which machine of KVM's it is. Before its vCPUs run.
  func connect(_ machine: SharedMachine) {
    let ends = state.withLock { state in
      state.machine = machine
      return state.fixed.ends
    }
    for end in ends { end.bind(target) }
    link.queues.toManager.bind(sender: target(MachineTree.Gunyah.transmitInterrupt))
    link.queues.fromManager.bind(receiver: target(MachineTree.Gunyah.receiveInterrupt))
  }

  /// One of the machine's shared interrupts, counted from 0, for an object to raise; nobody where there is none.
  func target(_ interrupt: UInt32?) -> InterruptTarget {
    guard let interrupt, let machine = state.withLock({ $0.machine }) else { return .none }
    return .machine(machine, interrupt)
  }

  /// Takes memory away and puts some in, while its vCPUs stand. On the manager's thread.
  ///
  /// - Throws: ``RMError/busy`` where a vCPU does not come, ``RMError/noMemory`` where KVM takes no slot; then
  ///   everything is as it was.
  func changeMemory(removing ranges: [GuestRange], adding pieces: [MappedMemory.Piece]) throws(RMError) {
    guard let machine = state.withLock({ $0.machine }) else { throw .noMemory }
    let result = Result()
    let change = { @Sendable [memory] in
      result.isDone.store(
        (try? memory.change(removing: ranges, adding: pieces, machine.machine)) != nil,
        ordering: .releasing
      )
    }
    switch vcpus.whileStopped(change) {
    case .done: break
    case .busy: throw .busy
    case .closed: change()
    }
    guard result.isDone.load(ordering: .acquiring) else { throw .noMemory }
  }

  private final class Result: Sendable {
    let isDone = Atomic(false)
  }

  // MARK: Objects

  /// Makes a capability; nil where the machine has too many.
  ///
  /// - Parameter peer: who has the object's other end.
  func insert(_ object: GunyahObject, rights: CapabilityRights, peer: VMID) -> CapabilityID? {
    state.withLock { $0.capabilities.insert(object, rights: rights, peer: peer) }
  }

  /// Takes a capability back, whose object may be gone.
  func revoke(_ id: CapabilityID) { state.withLock { $0.capabilities.revoke(id) } }

  /// Who has the other end of a capability's object; nil where there is no such capability.
  func peer(of id: CapabilityID) -> VMID? { state.withLock { $0.capabilities.peer(of: id) } }

  /// An interrupt that nobody has, or nil.
  func takeInterrupt() -> UInt32? { state.withLock { $0.freeInterrupts.popLast() } }

  /// This one, where nobody has it; also one that is no hypervisor's on other machines.
  func takeInterrupt(_ number: UInt32) -> UInt32? {
    state.withLock { state in
      if let index = state.freeInterrupts.firstIndex(of: number) { return state.freeInterrupts.remove(at: index) }
      guard number < MemoryMap.SharedInterrupt.hypervisor, !state.ownInterrupts.contains(number) else { return nil }
      state.ownInterrupts.append(number)
      return number
    }
  }

  /// Gives an interrupt back.
  func give(interrupt: UInt32) { state.withLock { $0.freeInterrupts.append(interrupt) } }

  // MARK: What a vCPU leaves KVM_RUN for

  /// Has the guest take an abort for an access to memory that it has lent, or may not write.
  ///
  /// - Returns: whether the address was such.
  func abort(_ vcpu: borrowing VirtualCPU, at address: UInt64) -> Bool {
    guard memory.isLentOrThere(address) else { return false }
    aborts.add(1, ordering: .relaxed)
    // KVM refuses an abort only to a vCPU that was never initialized.
    return (try? vcpu.injectExternalAbort()) != nil
  }

  /// Answers a call: x0 is the error or 0, and what else the call gives follows. On the vCPU's thread, after
  /// ``VirtualCPUExit/hypercall(number:isSMC:)``.
  ///
  /// Hot path: of the registers it reads those that the call has, and it allocates nothing.
  ///
  /// - Throws: where KVM does not give or take a register.
  func answer(_ vcpu: borrowing VirtualCPU, number: UInt32) throws(KVMError) {
    calls.wrappingAdd(1, ordering: .relaxed)
    if record == nil { try answer(vcpu, number: number, nil) } else { try recordAnswer(vcpu, number: number) }
  }

  /// The message that a call moves, for a transcript.
  final class MovedMessage {
    var bytes: [UInt8]?
  }

  /// The same, whoever writes it down.
  ///
  /// - Parameter moved: gets the message that is sent or received, where somebody wants it.
  @inline(__always)
  func answer(_ vcpu: borrowing VirtualCPU, number: UInt32, _ moved: MovedMessage?) throws(KVMError) {
    switch CallNumber(x0: UInt64(number)) {
    case .hypercall(let call):
      do throws(CallEnd) {
        try perform(call, vcpu, moved)
      } catch {
        switch error {
        case .failed(let error):
          try vcpu.setRegister(.general(0), UInt64(bitPattern: error.rawValue))
          // What a call would give besides is 0 then.
          for index in 0..<call.outputCount { try vcpu.setRegister(.general(1 + index), 0) }
        case .refused(let error): throw error
        }
      }
    case .serviceUID:
      let uid = Identification.uid
      for (index, word) in [uid.0, uid.1, uid.2, uid.3].enumerated() {
        try vcpu.setRegister(.general(index), UInt64(word))
      }
    case .serviceRevision: try vcpu.setRegister(.general(0), Identification.apiInfo)
    case nil: try vcpu.setRegister(.general(0), UInt64(bitPattern: GunyahError.unimplemented.rawValue))
    }
  }

  /// Why a call gives nothing.
  private enum CallEnd: Error {
    /// The guest hears of it.
    case failed(GunyahError)
    /// Nobody can go on.
    case refused(KVMError)
  }

  @inline(__always)
  private func perform(_ call: Hypercall, _ vcpu: borrowing VirtualCPU, _ moved: MovedMessage?) throws(CallEnd) {
    switch call {
    case .identify:
      try set(vcpu, 1, Identification.features)
      try set(vcpu, 2, 0)
      try set(vcpu, 3, 0)
      return try set(vcpu, 0, Identification.apiInfo)
    case .messageQueueSend:
      let (id, size) = try capability(vcpu)
      let (address, flags) = try arguments(vcpu, 3)
      let push = flags & SendFlags.push != 0
      let translation = try translation(vcpu, of: address)
      let isNotFull = try withQueue(id, .send) { (queue) throws(GunyahError) in
        // SAFETY: the message's place is the closure's for the call.
        try unsafe queue.send(size: size, push: push) { (place) throws(GunyahError) in
          // SAFETY: as above.
          try unsafe memory.read(address, translation, into: place)
          if let moved { unsafe moved.bytes = Array(place) }
        }
      }
      return try succeed(vcpu, isNotFull ? 1 : 0)
    case .messageQueueReceive:
      let ((id, address), capacity) = (try capability(vcpu), try argument(vcpu, 3))
      let translation = try translation(vcpu, of: address)
      let received = try withQueue(id, .receive) { (queue) throws(GunyahError) in
        // SAFETY: as above.
        try unsafe queue.receive(capacity: capacity) { (message) throws(GunyahError) in
          // SAFETY: as above.
          try unsafe memory.write(message, address, translation)
          if let moved { unsafe moved.bytes = Array(message) }
        }
      }
      try set(vcpu, 2, received.isNotEmpty ? 1 : 0)
      return try succeed(vcpu, UInt64(received.size))
    case .messageQueueFlush: try withQueue(try capability(vcpu).id, .receive) { $0.flush() }
    case .messageQueueConfigureSend:
      let ((id, threshold), delay) = (try capability(vcpu), try argument(vcpu, 3))
      try withQueue(id, .send) { (queue) throws(GunyahError) in
        try queue.configureSender(threshold: threshold, delay: delay)
      }
    case .messageQueueConfigureReceive:
      let ((id, threshold), delay) = (try capability(vcpu), try argument(vcpu, 3))
      try withQueue(id, .receive) { (queue) throws(GunyahError) in
        try queue.configureReceiver(threshold: threshold, delay: delay)
      }
    case .doorbellSend:
      let (id, flags) = try capability(vcpu)
      let oldFlags = try withDoorbell(id, .send) { (doorbell) throws(GunyahError) in try doorbell.send(flags) }
      return try succeed(vcpu, oldFlags)
    case .doorbellReceive:
      let (id, flags) = try capability(vcpu)
      let oldFlags = try withDoorbell(id, .receive) { (doorbell) throws(GunyahError) in
        try doorbell.receive(clearing: flags)
      }
      return try succeed(vcpu, oldFlags)
    case .doorbellMask:
      let ((id, enable), acknowledge) = (try capability(vcpu), try argument(vcpu, 3))
      try withDoorbell(id, .receive) { $0.mask(enable: enable, acknowledge: acknowledge) }
    case .doorbellReset: try withDoorbell(try capability(vcpu).id, .receive) { $0.reset() }
    case .vcpuRun:
      let (id, resume) = try capability(vcpu)
      let turn = try gunyah { () throws(GunyahError) in
        try state.withLock { (state) throws(GunyahError) in
          try state.capabilities.withVirtualCPU(id, .run) { $0.run(resume: resume) }
        }
      }
      try set(vcpu, 1, turn.state.rawValue)
      for index in 0..<3 { try set(vcpu, 2 + index, turn.data[index]) }
    }
    try set(vcpu, 0, 0)
  }

  /// Flags of `msgq_send`.
  private enum SendFlags {
    /// The receiver is interrupted, however many messages wait.
    static let push: UInt64 = 1 << 0
  }

  @inline(__always)
  private func gunyah<Value>(_ body: () throws(GunyahError) -> Value) throws(CallEnd) -> Value {
    do throws(GunyahError) { return try body() } catch { throw .failed(error) }
  }

  /// Uses a message queue under the lock of the machine's capabilities.
  @inline(__always)
  private func withQueue<Value: Sendable>(
    _ id: CapabilityID,
    _ rights: CapabilityRights,
    _ body: (GunyahQueue) throws(GunyahError) -> Value
  ) throws(CallEnd) -> Value {
    try gunyah { () throws(GunyahError) in
      try state.withLock { (state) throws(GunyahError) in try state.capabilities.withQueue(id, rights, body) }
    }
  }

  /// Uses a doorbell in the same way.
  @inline(__always)
  private func withDoorbell<Value: Sendable>(
    _ id: CapabilityID,
    _ rights: CapabilityRights,
    _ body: (GunyahDoorbell) throws(GunyahError) -> Value
  ) throws(CallEnd) -> Value {
    try gunyah { () throws(GunyahError) in
      try state.withLock { (state) throws(GunyahError) in try state.capabilities.withDoorbell(id, rights, body) }
    }
  }

  /// The capability in x1, and x2, which most calls have something in.
  @inline(__always)
  private func capability(_ vcpu: borrowing VirtualCPU) throws(CallEnd) -> (id: CapabilityID, UInt64) {
    let (id, argument) = try arguments(vcpu, 1)
    return (CapabilityID(rawValue: id), argument)
  }

  /// Two arguments, from a register on.
  @inline(__always)
  private func arguments(_ vcpu: borrowing VirtualCPU, _ first: Int) throws(CallEnd) -> (UInt64, UInt64) {
    do throws(KVMError) { return try vcpu.generalPair(first) } catch { throw .refused(error) }
  }

  /// Writes x0, which says that there was no error, and x1.
  @inline(__always)
  private func succeed(_ vcpu: borrowing VirtualCPU, _ value: UInt64) throws(CallEnd) {
    do throws(KVMError) { try vcpu.setGeneralPair(0, (0, value)) } catch { throw .refused(error) }
  }

  private func argument(_ vcpu: borrowing VirtualCPU, _ number: Int) throws(CallEnd) -> UInt64 {
    do throws(KVMError) { return try vcpu.register(.general(number)) } catch { throw .refused(error) }
  }

  private func set(_ vcpu: borrowing VirtualCPU, _ number: Int, _ value: UInt64) throws(CallEnd) {
    do throws(KVMError) { try vcpu.setRegister(.general(number), value) } catch { throw .refused(error) }
  }

  /// What a walk to a buffer takes: of the two tables the one that the address is in.
  private func translation(
    _ vcpu: borrowing VirtualCPU,
    of address: UInt64
  ) throws(CallEnd) -> StageOneTranslation {
    do throws(KVMError) {
      let table = try vcpu.register(address >> 55 & 1 == 1 ? .translationTable1EL1 : .translationTable0EL1)
      return StageOneTranslation(
        TranslationRegisters(
          control: try vcpu.register(.systemControlEL1),
          translationControl: try vcpu.register(.translationControlEL1),
          table0: table,
          table1: table
        )
      )
    } catch {
      throw .refused(error)
    }
  }
}
