extension ResourceManager {
  // MARK: Made and configured

  func allocate(
    _ sender: ManagedMachine,
    _ payload: inout PayloadReader,
    _ reply: inout PayloadWriter
  ) throws(RMError) {
    guard sender.vmid == .primary else { throw .denied }
    let wanted = try machineAlone(&payload)
    let number: VMID
    if wanted == VMID(0) {
      guard let free = VMID.dynamic.first(where: { machines[VMID($0)] == nil }) else { throw .noResource }
      number = VMID(free)
    } else {
      guard VMID.named.contains(wanted.rawValue), machines[wanted] == nil, !residents.contains(wanted) else {
        throw .noResource
      }
      number = wanted
    }
    try host.create(number, owner: sender.vmid)
    machines[number] = ManagedMachine(number, owner: sender.vmid, isMade: true, state: .load)
    connect(number, sender.vmid)
    if wanted == VMID(0) { reply.put(UInt32(number.rawValue)) }
  }

  func deallocate(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let machine = try machineOwned(by: sender, try machineAlone(&payload))
    guard machine.state == .load || machine.state == .reset else { throw .machineState }
    remove(machine)
  }

  func configureImage(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    guard sender.vmid == .primary else { throw .denied }
    let number = VMID(try payload.take())
    let authentication: UInt16 = try payload.take()
    let request = ManagedMachine.ImageRequest(
      handle: try payload.take(),
      imageOffset: try payload.take(),
      imageSize: try payload.take(),
      deviceTreeOffset: try payload.take(),
      deviceTreeSize: try payload.take()
    )
    try payload.end()
    let machine = try machineOwned(by: sender, number)
    guard machine.state == .load || machine.state == .reset else { throw .machineState }
    do throws(RMError) {
      let parcel = try imageParcel(request, of: machine)
      guard authentication <= 2 else { throw .argumentInvalid }
      machine.image = request
      // While somebody looks at the image, it stays what it is.
      if authentication == 1 { parcel.isLocked = true }
      setState(of: machine, authentication == 1 ? .authentication : .initial)
    } catch {
      setState(of: machine, .initializationFailed)
      throw error
    }
  }

  func authenticateImage(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let number = VMID(try payload.take())
    let count: UInt16 = try payload.take()
    try payload.skip(8 * Int(count))
    try payload.end()
    let machine = try machineOwned(by: sender, number)
    guard machine.state == .authentication else { throw .machineState }
    // There is nobody here who could vouch for an image.
    unlockImage(of: machine)
    setState(of: machine, .initializationFailed)
    throw .argumentInvalid
  }

  func initialize(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    guard sender.vmid == .primary else { throw .denied }
    let machine = try machineOwned(by: sender, try machineAlone(&payload))
    guard machine.state == .initial else { throw .machineState }
    do throws(RMError) {
      guard let request = machine.image else { throw .memoryInvalid }
      let parcel = try imageParcel(request, of: machine)
      let image = MachineImage(
        handle: request.handle,
        pieces: parcel.pieces.placed(at: 0).merged(),
        imageOffset: request.imageOffset,
        imageSize: request.imageSize,
        deviceTreeOffset: request.deviceTreeOffset,
        deviceTreeSize: request.deviceTreeSize
      )
      let configuration = try host.configure(machine.vmid, image: image)
      do throws(RMError) {
        try adopt(configuration, machine)
      } catch {
        host.reset(machine.vmid)
        throw error
      }
      setState(of: machine, .ready)
    } catch {
      setState(of: machine, .initializationFailed)
      throw error
    }
  }

  /// - Throws: ``RMError/argumentInvalid`` where the configuration's addresses cannot be.
  private func adopt(_ configuration: MachineConfiguration, _ machine: ManagedMachine) throws(RMError) {
    // What it was given for good in an earlier life is still there.
    var ownership = machine.ownership
    for range in configuration.reserved {
      guard PageRange(checking: range.start, size: range.size) != nil, ownership.isFree(range) else {
        throw .argumentInvalid
      }
      ownership.insert(range, .reserved)
    }
    let addresses = configuration.sharedMemory.map(\.address) + [configuration.imageAddress]
    for case .some(let address) in addresses {
      guard address % PageRange.pageSize == 0, address < configuration.addressEnd else { throw .argumentInvalid }
    }
    machine.ownership = ownership
    machine.addressEnd = configuration.addressEnd
    machine.configuration = configuration
    for peer in configuration.peers { connect(machine.vmid, peer) }
  }

  func setFirmwareMemory(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let number = try VMID(payload.take())
    try payload.skip(2 + 4 + 8 + 8)
    try payload.end()
    guard let machine = machines[number] else { throw .noResource }
    guard machine.owner == sender.vmid else { throw .denied }
    guard machine.state == .initial else { throw .machineState }
    // Only an authenticated machine has firmware, and none is authenticated here.
    throw .argumentInvalid
  }

  /// The parcel with a machine's image, where it holds what a request says.
  func imageParcel(
    _ request: ManagedMachine.ImageRequest,
    of machine: ManagedMachine
  ) throws(RMError) -> Memparcel {
    guard
      let parcel = parcels[request.handle], parcel.isComplete, parcel.rights(of: machine.vmid) != nil,
      parcel.owner == machine.owner
    else { throw .memoryInvalid }
    let size = parcel.size
    guard
      request.imageOffset <= size, request.imageSize <= size - request.imageOffset,
      request.deviceTreeOffset <= size, request.deviceTreeSize <= size - request.deviceTreeOffset
    else { throw .argumentInvalid }
    return parcel
  }

  func unlockImage(of machine: ManagedMachine) {
    if let request = machine.image { parcels[request.handle]?.isLocked = false }
  }

  // MARK: States

  func setState(of machine: ManagedMachine, _ state: MachineState) {
    machine.state = state
    sendStatus(of: machine)
  }

  func sendStatus(of machine: ManagedMachine) {
    var payload = PayloadWriter()
    payload.put(machine.vmid.rawValue)
    payload.put(UInt16(0))
    payload.put(machine.state.rawValue)
    payload.put(machine.osStatus)
    payload.put(machine.applicationStatus)
    for peer in machine.peers { notify(peer, .machineStatus, payload) }
  }

  /// - Throws: ``RMError/vmidInvalid`` where there is none, ``RMError/denied`` where it is another one's.
  func machineOwned(by sender: ManagedMachine, _ number: VMID) throws(RMError) -> ManagedMachine {
    guard let machine = machines[number] else { throw .vmidInvalid }
    guard machine.owner == sender.vmid else { throw .denied }
    return machine
  }
}
