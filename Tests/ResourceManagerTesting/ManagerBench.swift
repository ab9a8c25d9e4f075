public import Gunyah

/// A manager with the primary machine and another one, and clients in them that wait for each reply.
public final class ManagerBench {
  /// A machine that is there at the start beside the primary one.
  public static let neighbour = VMID(5)
  /// 64 MiB of the primary machine's.
  public static let memory = PageRange(start: 0x8000_0000, size: 0x400_0000)
  /// 1 MiB of the neighbour's.
  public static let neighboursMemory = PageRange(start: 0x8000_0000, size: 0x10_0000)
  /// Where the primary machine has a DMA window.
  public static let window = PageRange(start: 0xC000_0000, size: 0x10_0000)

  public let host = FakeHost()
  public let manager: ResourceManager<FakeHost>
  /// What machines were told and nobody has asked for yet.
  public var notifications: [VMID: [RPCMessage]] = [:]
  private var assemblers: [VMID: RPCAssembler] = [:]
  private var replies: [VMID: [RPCMessage]] = [:]
  private var sequence: UInt16 = 0

  /// - Parameter size: of the primary machine's memory, in bytes; the neighbour has no more either.
  public init(size: UInt64 = memory.size) {
    let memory = PageRange(start: Self.memory.start, size: size)
    let neighbours = PageRange(start: Self.neighboursMemory.start, size: min(size, Self.neighboursMemory.size))
    manager = ResourceManager(host: host)
    host.add(.primary, memory: [memory])
    host.add(Self.neighbour, memory: [neighbours])
    manager.add(.primary, memory: [memory], reserved: [Self.window], addressEnd: 1 << 40)
    manager.add(Self.neighbour, memory: [neighbours], reserved: [], addressEnd: 1 << 40)
    manager.connect(.primary, Self.neighbour)
  }

  /// Sends a request and gives the reply's payload.
  public func payload(_ id: MessageID, _ payload: [UInt8], from machine: VMID = .primary) -> [UInt8] {
    sequence &+= 1
    let request = RPCMessage(kind: .request, sequence: sequence, id: id, payload: payload)
    for fragment in request.fragments { manager.receive(fragment, from: machine) }
    fetch()
    defer { replies[machine] = nil }
    guard let reply = replies[machine]?.last else { return [] }
    precondition(reply.sequence == sequence && reply.id == id, "a reply is the request's")
    return reply.payload
  }

  /// Sends a request and gives the reply's error; nil is success.
  public func ask(_ id: MessageID, _ payload: [UInt8], from machine: VMID = .primary) -> RMError? {
    let reply = self.payload(id, payload, from: machine)
    precondition(reply.count >= 4, "a reply has an error")
    return RMError(rawValue: Payload.number(reply, at: 0))
  }

  /// Sends a request that is answered by a number; nil is an error.
  public func number(_ id: MessageID, _ payload: [UInt8], from machine: VMID = .primary) -> UInt32? {
    let reply = self.payload(id, payload, from: machine)
    guard reply.count == 8, Payload.number(reply, at: 0) as UInt32 == 0 else { return nil }
    return Payload.number(reply, at: 4)
  }

  /// Takes what waits for machines.
  public func fetch() {
    for machine in (VMID.primary.rawValue...VMID.dynamic.upperBound).map(VMID.init(_:)) {
      guard manager.nextFragment(for: machine) != nil else { continue }
      var assembler = assemblers[machine] ?? RPCAssembler(of: [.reply, .notification])
      while let fragment = manager.nextFragment(for: machine) {
        precondition(fragment.count <= RPCHeader.maximumFragmentSize, "a fragment fits the queue")
        manager.fragmentSent(to: machine)
        guard let message = assembler.take(fragment) else { continue }
        if message.kind == .reply {
          replies[machine, default: []].append(message)
        } else {
          notifications[machine, default: []].append(message)
        }
      }
      assemblers[machine] = assembler
    }
  }

  /// What a machine was told since the last time.
  public func told(_ machine: VMID) -> [RPCMessage] {
    fetch()
    defer { notifications[machine] = nil }
    return notifications[machine] ?? []
  }

  /// The states that a machine was told another one is in, since the last time; other notifications are dropped.
  public func states(of machine: VMID, toldTo receiver: VMID = .primary) -> [UInt8] {
    told(receiver).filter { $0.id == .machineStatus && Payload.number($0.payload, at: 0) == machine.rawValue }
      .map { $0.payload[4] }
  }

  // MARK: Machines

  /// Makes a machine and lends it an image of 64 KiB at the start of the primary machine's memory.
  public func make(offset: UInt64 = 0, size: UInt64 = 0x1_0000) -> (machine: VMID, image: UInt32) {
    guard let number = self.number(.allocate, Request.machine(VMID(0))) else { preconditionFailure("none is left") }
    let machine = VMID(UInt16(number))
    let range = (Self.memory.start + offset, size)
    guard let handle = self.number(.lend, Request.parcel([(machine, .all)], [range])) else {
      preconditionFailure("the image cannot be lent")
    }
    return (machine, handle)
  }

  /// A machine that was made, in a state.
  public func machine(in state: MachineState) -> VMID {
    let (machine, handle) = make()
    bring(machine, image: handle, to: state)
    precondition(manager.state(of: machine) == state, "the machine is in its state")
    _ = told(.primary)
    return machine
  }

  private func bring(_ machine: VMID, image handle: UInt32, to state: MachineState) {
    if state == .load { return }
    if state == .initializationFailed {
      _ = ask(.configureImage, Request.configure(machine, handle: 0xFFFF))
      return
    }
    let authentication: UInt16 = state == .authentication ? 1 : 0
    _ = ask(.configureImage, Request.configure(machine, authentication: authentication, handle: handle))
    if [.initial, .authentication].contains(state) { return }
    _ = ask(.initialize, Request.machine(machine))
    if state == .ready { return }
    _ = ask(.start, Request.machine(machine))
    if state == .running { return }
    _ = ask(.stop, Request.stop(machine, force: true))
    if state == .exited { return }
    _ = ask(.reset, Request.machine(machine))
  }

  // MARK: Promises

  /// What holds after whatever was sent: the machines' memory is as the manager says, and nobody has what somebody has
  /// lent.
  public func check() {
    for (machine, mappings) in host.mappings {
      guard let ownership = manager.ownership(of: machine) else { preconditionFailure("the manager knows it") }
      var count = 0
      for segment in ownership.segments {
        guard let rights = rights(segment.use, machine) else { continue }
        for offset in stride(from: 0, to: segment.piece.size, by: Int(PageRange.pageSize)) {
          let mapping = mappings[segment.piece.address + offset]
          let page = FakeHost.Page(home: segment.piece.home, address: segment.piece.homeAddress + offset)
          precondition(mapping?.page == page && mapping?.rights == rights, "memory is as the manager says")
          count += 1
        }
      }
      precondition(count == mappings.count, "a machine has nothing else")
    }
    for parcel in manager.parcelReports {
      precondition(parcel.borrowers.allSatisfy { host.existing.contains($0) }, "borrowers are there")
    }
    let counts = Dictionary(grouping: manager.parcelReports, by: \.owner).filter { $0.key != .resourceManager }
    precondition(counts.values.allSatisfy { $0.count <= ResourceManager<FakeHost>.maximumParcels }, "64 at most")
    checkSharing()
  }

  private func rights(_ use: PageOwnership.Use, _ machine: VMID) -> MemoryRights? {
    switch use {
    case .own: .all
    case .shared(_, let rights), .borrowed(_, let rights): rights
    case .lent, .claimed, .reserved: nil
    }
  }

  /// A page is with more than one machine only where a parcel says so.
  private func checkSharing() {
    var holders: [FakeHost.Page: [PageOwnership.Use]] = [:]
    for machine in host.mappings.keys {
      guard let ownership = manager.ownership(of: machine) else { continue }
      for segment in ownership.segments where rights(segment.use, machine) != nil {
        for offset in stride(from: 0, to: segment.piece.size, by: Int(PageRange.pageSize)) {
          let page = FakeHost.Page(home: segment.piece.home, address: segment.piece.homeAddress + offset)
          holders[page, default: []].append(segment.use)
        }
      }
    }
    for uses in holders.values where uses.count > 1 {
      let handles = Set(
        uses.map { use -> UInt32? in
          switch use {
          case .shared(let handle, _), .borrowed(let handle, _): handle
          case .own, .lent, .claimed, .reserved: nil
          }
        }
      )
      precondition(handles.count == 1 && handles.first != .some(nil), "one parcel gives a page to many")
    }
  }
}
