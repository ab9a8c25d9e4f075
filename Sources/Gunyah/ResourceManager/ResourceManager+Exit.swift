extension ResourceManager {
  // MARK: Asked for

  func stop(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let number = VMID(try payload.take())
    let flags: UInt8 = try payload.take()
    try payload.skip(1)
    let reason: UInt32 = try payload.take()
    try payload.end()
    guard let machine = machines[number], machine.owner == sender.vmid else { throw .vmidInvalid }
    guard machine.state == .running else { throw .machineState }
    if flags & 1 == 1 {
      end(machine, kind: 7, flags: 0, code: 0, more: [])
    } else {
      var payload = PayloadWriter()
      payload.put(reason)
      notify(number, .shutdown, payload)
    }
  }

  func exit(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let flags: UInt16 = try payload.take()
    let code: UInt8 = try payload.take()
    let zero: UInt8 = try payload.take()
    try payload.end()
    guard code <= 4, code != 2, zero == 0 else { throw .messageInvalid }
    // The others end as their own monitor's user wants it.
    guard sender.isMade else { throw .denied }
    end(sender, kind: 0, flags: flags, code: code, more: [])
  }

  func setStatus(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    guard !sender.isDynamic else { throw .denied }
    try payload.skip(1)
    let osStatus: UInt8 = try payload.take()
    let applicationStatus: UInt16 = try payload.take()
    try payload.end()
    guard osStatus <= 7 else { throw .argumentInvalid }
    if osStatus != 0 { sender.osStatus = osStatus }
    sender.applicationStatus = applicationStatus
    sendStatus(of: sender)
  }

  func reset(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) -> VMID {
    let number = try machineAlone(&payload)
    guard let machine = machines[number], machine.owner == sender.vmid else { throw .vmidInvalid }
    switch machine.state {
    case .exited, .ready, .initializationFailed: break
    default: throw .machineState
    }
    setState(of: machine, .resetting)
    clean(machine)
    return number
  }

  // MARK: What happens to machines

  /// A machine has ended by itself. One that does not run has been ended by its owner already: nothing happens.
  public func exited(_ machine: VMID, _ exit: MachineExit) {
    guard let machine = machines[machine], machine.isMade, machine.state == .running else { return }
    switch exit {
    case .off: end(machine, kind: 1, flags: 0, code: 0, more: [])
    case .reset: end(machine, kind: 2, flags: 0, code: 0, more: [])
    case .reset2(let kind, let cookie, let is64Bit):
      let cookie = is64Bit ? cookie : cookie & 0xFFFF_FFFF
      let more = [kind, UInt32(truncatingIfNeeded: cookie), UInt32(cookie >> 32)]
      end(machine, kind: 3, flags: is64Bit ? 1 << 15 : 0, code: 0, more: more)
    case .watchdog: end(machine, kind: 4, flags: 0, code: 0, more: [])
    case .fault: end(machine, kind: 5, flags: 0, code: 0, more: [])
    }
  }

  /// A machine is gone, whatever it was doing.
  ///
  /// One that ALLOC made stays where its owner finds it: EXITED by a fault, or INIT_FAILED, until it is reset; the host
  /// is asked to do so as if nothing had happened. One that was there at the start is forgotten, and the host hears
  /// nothing of it any longer: what it had borrowed is released, and what it had lent stays with those who have
  /// accepted it, so the host has to keep the memory as long as it is mapped anywhere. The machines that it had made go
  /// on, and are taken away when they end; those that do not run, or only in its `vcpu_run`, are taken away at once.
  public func gone(_ number: VMID) {
    guard let machine = machines[number] else { return }
    guard !machine.isMade else {
      switch machine.state {
      case .running: exited(number, .fault)
      case .initial, .ready, .authentication:
        unlockImage(of: machine)
        setState(of: machine, .initializationFailed)
      default: break
      }
      return
    }
    for parcel in parcels.values { parcel.borrowings[number] = nil }
    machine.state = .exited
    sendStatus(of: machine)
    forget(machine)
    let children = machines.values.filter { $0.owner == number }.sorted { $0.vmid < $1.vmid }
    for child in children {
      child.owner = .resourceManager
      if child.state == .running, child.configuration?.isProxyScheduled != true { continue }
      takeAway(child)
    }
  }

  private func end(_ machine: ManagedMachine, kind: UInt16, flags: UInt16, code: UInt8, more: [UInt32]) {
    host.stop(machine.vmid)
    machine.assembler.reset()
    setState(of: machine, .exited)
    var payload = PayloadWriter()
    payload.put(machine.vmid.rawValue)
    payload.put(kind)
    payload.put(UInt32(4 + 4 * more.count))
    payload.put(UInt32(flags) | UInt32(code) << 16)
    for word in more { payload.put(word) }
    notify(machine.owner, .machineExited, payload)
    if machine.owner == .resourceManager { takeAway(machine) }
  }

  /// A machine without an owner ends.
  private func takeAway(_ machine: ManagedMachine) {
    if machine.state == .running { host.stop(machine.vmid) }
    clean(machine)
    remove(machine)
  }

  /// Takes away what a machine had borrowed, and its objects.
  func clean(_ machine: ManagedMachine) {
    for parcel in parcels.values.sorted(by: { $0.handle < $1.handle }) { giveBack(parcel, machine) }
    for parcel in parcels.values where parcel.owner == machine.vmid && parcel.borrowings.isEmpty {
      takeBack(parcel, machine)
    }
    host.reset(machine.vmid)
    machine.ownership.remove(machine.ownership.segments.filter { $0.use == .reserved }.map(\.piece.range))
    machine.assembler.reset()
    machine.outbox = Outbox()
    machine.image = nil
    machine.configuration = nil
    machine.osStatus = 0
    machine.applicationStatus = 0
  }

  /// A machine has been reset: the state is told to all, and those that its objects led to are its peers no longer.
  func completeReset(of machine: ManagedMachine) {
    setState(of: machine, .reset)
    for peer in machine.peers where peer != machine.owner {
      machines[peer]?.peers.removeAll { $0 == machine.vmid }
    }
    machine.peers.removeAll { $0 != machine.owner }
  }

  /// Takes a machine away that ALLOC made.
  func remove(_ machine: ManagedMachine) {
    let owned = machine.ownership.segments.filter { $0.use == .own || isShared($0.use) }.map(\.piece)
    if !owned.isEmpty { host.unmap(owned, in: machine.vmid) }
    forget(machine)
    host.destroy(machine.vmid)
  }

  private func isShared(_ use: PageOwnership.Use) -> Bool {
    if case .shared = use { true } else { false }
  }

  /// Takes a machine out of all that knows of it.
  private func forget(_ machine: ManagedMachine) {
    machines[machine.vmid] = nil
    for other in machines.values {
      other.peers.removeAll { $0 == machine.vmid }
      other.configuration?.resources.removeAll { $0.holder == machine.vmid }
    }
    fixedResources.removeAll { $0.holder == machine.vmid || $0.partner == machine.vmid }
    for parcel in parcels.values {
      for index in parcel.access.indices where parcel.access[index].machine == machine.vmid {
        parcel.access[index].isGone = true
      }
      if parcel.owner == machine.vmid { parcel.owner = .resourceManager }
      dropIfOrphaned(parcel)
    }
  }
}
