extension ResourceManager {
  func start(_ sender: ManagedMachine, _ payload: inout PayloadReader) throws(RMError) {
    let machine = try machineOwned(by: sender, try machineAlone(&payload))
    guard machine.state == .ready else { throw .machineState }
    do throws(RMError) {
      guard let request = machine.image, let configuration = machine.configuration else { throw .noResource }
      let layout = try layOut(machine, request, configuration)
      try host.patchDeviceTree(machine.vmid, layout)
      let base = layout.deviceTree - request.deviceTreeOffset
      try host.start(machine.vmid, at: base + request.imageOffset, deviceTree: layout.deviceTree)
    } catch {
      setState(of: machine, .initializationFailed)
      throw .noResource
    }
    setState(of: machine, .running)
  }

  /// Maps what a machine starts with: its image, the shared memory that it asks for, and all else that is lent to it.
  private func layOut(
    _ machine: ManagedMachine,
    _ request: ManagedMachine.ImageRequest,
    _ configuration: MachineConfiguration
  ) throws(RMError) -> MachineLayout {
    let image = try imageParcel(request, of: machine)
    let isLent = image.transfer == .lend && image.access.map(\.machine) == [machine.vmid]
    let isShared = image.transfer == .share && allowsSharedImages
    guard isLent || isShared, image.rights(of: machine.vmid) == .all else { throw .denied }
    let imagePieces = try acceptWhole(image, in: machine, at: configuration.imageAddress)
    var memory = imagePieces
    for wanted in configuration.sharedMemory where !wanted.isOptional {
      guard parcels.values.contains(where: { $0.label == wanted.label && isOpen($0, to: machine) }) else {
        throw .noResource
      }
    }
    for parcel in parcels.values.sorted(by: { $0.handle < $1.handle }) where isOpen(parcel, to: machine) {
      if configuration.sharedMemory.contains(where: { $0.label == parcel.label }) {
        try acceptByLabel(parcel, in: machine)
      } else if parcel.transfer != .share, parcel.access.count == 1, parcel.handle != image.handle {
        let pieces = try acceptWhole(parcel, in: machine, at: nil)
        if parcel.transfer == .lend { memory += pieces }
      }
    }
    // What it was given for good, now or in an earlier life.
    memory += machine.ownership.segments.filter { $0.use == .own }.map(\.piece)
    return MachineLayout(
      deviceTree: imagePieces[0].address + request.deviceTreeOffset,
      deviceTreeSize: request.deviceTreeSize,
      image: imagePieces,
      memory: memory.map(\.range).sortedAndMerged(),
      sharedMemory: sharedMemory(of: machine, configuration)
    )
  }

  /// Whether a machine may accept a parcel, or has.
  private func isOpen(_ parcel: Memparcel, to machine: ManagedMachine) -> Bool {
    parcel.isComplete && parcel.owner != machine.vmid && parcel.rights(of: machine.vmid) != nil
  }

  private func sharedMemory(
    of machine: ManagedMachine,
    _ configuration: MachineConfiguration
  ) -> [MachineLayout.SharedMemory] {
    var result: [MachineLayout.SharedMemory] = []
    for wanted in configuration.sharedMemory {
      let accepted = parcels.values.filter { $0.label == wanted.label && $0.borrowings[machine.vmid]?.isMapped == true }
      guard let parcel = accepted.min(by: { $0.handle < $1.handle }) else { continue }
      guard let borrowing = parcel.borrowings[machine.vmid] else { continue }
      let ranges = parcel.places(borrowing).map(\.range).sortedAndMerged()
      result.append(MachineLayout.SharedMemory(label: wanted.label, peer: parcel.owner, ranges: ranges))
    }
    return result
  }
}

extension [PageRange] {
  /// The ranges in the order of their addresses, those that follow each other made one.
  fileprivate func sortedAndMerged() -> [PageRange] {
    var result: [PageRange] = []
    for range in sorted(by: { $0.start < $1.start }) {
      if let last = result.last, last.end == range.start {
        result[result.count - 1].size += range.size
      } else {
        result.append(range)
      }
    }
    return result
  }
}
