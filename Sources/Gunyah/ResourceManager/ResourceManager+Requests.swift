extension ResourceManager {
  /// Does what a request asks for, and puts the reply in the outbox.
  func handle(_ request: RPCMessage, from sender: ManagedMachine) {
    var reply = PayloadWriter()
    var afterwards: VMID?
    do throws(RMError) {
      reply.put(UInt32(0))
      try answer(request, from: sender, &reply, &afterwards)
    } catch {
      reply = PayloadWriter()
      reply.put(error.rawValue)
    }
    send(RPCMessage(kind: .reply, sequence: request.sequence, id: request.id, payload: reply.bytes), to: sender)
    if let machine = afterwards.flatMap({ machines[$0] }) { completeReset(of: machine) }
  }

  /// - Parameters:
  ///   - reply: the answer is put behind the error.
  ///   - afterwards: the machine whose reset is complete when the reply is sent.
  private func answer(
    _ request: RPCMessage,
    from sender: ManagedMachine,
    _ reply: inout PayloadWriter,
    _ afterwards: inout VMID?
  ) throws(RMError) {
    var payload = PayloadReader(request.payload)
    switch request.id {
    case .allocate: try allocate(sender, &payload, &reply)
    case .deallocate: try deallocate(sender, &payload)
    case .configureImage: try configureImage(sender, &payload)
    case .authenticateImage: try authenticateImage(sender, &payload)
    case .initialize: try initialize(sender, &payload)
    case .start: try start(sender, &payload)
    case .stop: try stop(sender, &payload)
    case .reset: afterwards = try reset(sender, &payload)
    case .exit: try exit(sender, &payload)
    case .setStatus: try setStatus(sender, &payload)
    case .setFirmwareMemory: try setFirmwareMemory(sender, &payload)
    case .getState: try getState(sender, &payload, &reply)
    case .getResources: try getResources(sender, &payload, &reply)
    case .getVMID:
      try payload.end()
      reply.put(UInt32(sender.vmid.rawValue))
    case .getOwner:
      try payload.end()
      reply.put(UInt32(sender.owner.rawValue))
    case .getPeers:
      try payload.end()
      reply.put(UInt32(sender.peers.count))
      for peer in sender.peers { reply.put(UInt32(peer.rawValue)) }
    case .donate: try createParcel(.donate, sender, &payload, &reply)
    case .lend: try createParcel(.lend, sender, &payload, &reply)
    case .share: try createParcel(.share, sender, &payload, &reply)
    case .append: try appendToParcel(sender, &payload)
    case .accept: try acceptParcel(sender, &payload, &reply)
    case .release: try releaseParcel(sender, &payload)
    case .reclaim: try reclaimParcel(sender, &payload)
    case .notify: try notifyOfParcel(sender, &payload)
    default:
      // Interrupts of hardware are all that these move, and no machine here has any.
      let interrupts = MessageID.interruptAccept.rawValue...MessageID.interruptUnmap.rawValue
      throw interrupts.contains(request.id.rawValue) ? .interruptInvalid : .unimplemented
    }
  }

  // MARK: Questions

  private func getState(
    _ sender: ManagedMachine,
    _ payload: inout PayloadReader,
    _ reply: inout PayloadWriter
  ) throws(RMError) {
    let number = try machineAlone(&payload)
    let wanted = number == VMID(0) ? sender.vmid : number
    guard let machine = machines[wanted] else { throw .noResource }
    guard mayAsk(sender, of: machine) else { throw .denied }
    reply.put(
      UInt32(machine.state.rawValue) | UInt32(machine.osStatus) << 8 | UInt32(machine.applicationStatus) << 16
    )
  }

  private func getResources(
    _ sender: ManagedMachine,
    _ payload: inout PayloadReader,
    _ reply: inout PayloadWriter
  ) throws(RMError) {
    let wanted = try machineAlone(&payload)
    guard let machine = machines[wanted] else { throw .argumentInvalid }
    // Those that were there at the start have no configuration of the manager's.
    guard machine.configuration != nil || !machine.isMade else { throw .noResource }
    let all =
      fixedResources + machines.values.sorted { $0.vmid < $1.vmid }.flatMap { $0.configuration?.resources ?? [] }
    let entries = all.filter { entry in
      entry.holder == sender.vmid && (entry.partner == wanted || wanted == sender.vmid)
    }
    let size = 4 + 4 + 44 * entries.count
    guard size <= RPCHeader.maximumPayloadSize else { throw .noResource }
    reply.put(UInt32(entries.count))
    for entry in entries {
      reply.put(entry.kind.rawValue)
      reply.put(UInt8(0))
      reply.put(entry.partner.rawValue)
      reply.put(UInt32(0))
      reply.put(entry.label)
      reply.put(entry.capability)
      reply.put(entry.interrupt)
      reply.put(entry.interrupt)
      reply.put(UInt64(0))
      reply.put(UInt64(0))
    }
  }

  private func mayAsk(_ sender: ManagedMachine, of machine: ManagedMachine) -> Bool {
    sender.vmid == machine.vmid || sender.vmid == machine.owner || machine.peers.contains(sender.vmid)
  }

  /// Reads what so many requests are: a VMID, and two bytes of nothing.
  func machineAlone(_ payload: inout PayloadReader) throws(RMError) -> VMID {
    let number: UInt16 = try payload.take()
    try payload.skip(2)
    try payload.end()
    return VMID(number)
  }
}
