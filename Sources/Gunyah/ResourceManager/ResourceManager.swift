/// Gunyah's resource manager: what makes machines, and lends memory between them, at the far end of each machine's
/// queues.
///
/// It is a function of what it is told: fragments that machines have sent, and what happened to machines. What it
/// answers waits until somebody fetches it, and what it does to the world it does by its ``ResourceManagerHost``. It is
/// not thread-safe: one thread owns it, and the host is called on that thread.
///
/// Whatever a machine sends, memory and time are bounded: a link takes no further request while ``isReady(for:)`` is
/// false, at most 256 notifications wait for a machine, and a machine has at most 64 memory parcels, of 262,144 pieces
/// all together.
///
/// Gunyah's resource manager of 12/2023, with memory parcels (what its clients call generation 1).
public final class ResourceManager<Host: ResourceManagerHost> {
  /// How many memory parcels a machine owns at most.
  public static var maximumParcels: Int { 64 }
  /// How many entries a list in a message has at most.
  public static var maximumEntries: Int { 512 }
  /// How many pieces a machine's parcels have at most, all together: APPEND has no bound of its own.
  public static var maximumPieces: Int { 0x4_0000 }

  let host: Host
  /// Whether a machine may start from an image that its owner shares, as the manager's debug variant has it; it wants
  /// the image lent otherwise.
  public var allowsSharedImages = false
  /// Whether messages are kept for ``takeRecords()``.
  public var isRecording = false

  /// The numbers of machines that are there at the start, now or later: none is given to another one.
  public var residents: Set<VMID> = []

  var machines: [VMID: ManagedMachine] = [:]
  var parcels: [UInt32: Memparcel] = [:]
  var fixedResources: [MachineResource] = []
  private var lastHandle: UInt32 = 0
  private var records: [RPCRecord] = []

  /// A manager without machines.
  public init(host: Host) {
    self.host = host
  }

  /// Adds a machine that is there at the start and runs: the primary one, or one of ``VMID/named``.
  ///
  /// - Parameters:
  ///   - machine: not one that there is.
  ///   - memory: the machine's RAM; parcels are of this alone.
  ///   - home: by which number the host knows this memory, which outlives the machine where others have it; nil: the
  ///     machine's own.
  ///   - reserved: where devices, DMA windows and all else are, that no parcel may touch or come to. Ranges overlap
  ///     neither each other nor `memory`.
  ///   - addressEnd: the first address that is too high for the machine.
  public func add(
    _ machine: VMID,
    memory: [PageRange],
    home: VMID? = nil,
    reserved: [PageRange],
    addressEnd: UInt64
  ) {
    let home = home ?? machine
    precondition(machines[machine] == nil, "a machine is added once")
    residents.insert(machine)
    let added = ManagedMachine(machine, owner: .resourceManager, isMade: false, state: .running)
    for range in memory {
      let piece = MemoryPiece(address: range.start, size: range.size, home: home, homeAddress: range.start)
      added.ownership.insert(piece, .own)
    }
    for range in reserved { added.ownership.insert(range, .reserved) }
    added.addressEnd = addressEnd
    machines[machine] = added
  }

  /// Makes two machines peers: each is told of the other's states, and may ask for them.
  public func connect(_ first: VMID, _ second: VMID) {
    guard first != second, let one = machines[first], let other = machines[second] else { return }
    if !one.peers.contains(second) { one.peers.append(second) }
    if !other.peers.contains(first) { other.peers.append(first) }
  }

  /// Adds an object's end that is there as long as its holder: between machines that were there at the start.
  public func add(_ resource: MachineResource) {
    fixedResources.append(resource)
  }

  // MARK: Messages

  /// Whether a machine's next fragment can be taken. False while many replies wait for the machine: what it sends stays
  /// in its queue, then, until it fetches them.
  public func isReady(for machine: VMID) -> Bool {
    machines[machine]?.outbox.isTakingRequests ?? false
  }

  /// Takes a fragment that a machine has sent, a message of its queue, and does what the request that it completes asks
  /// for. What is no fragment is dropped, and so is what a machine sends that does not run.
  ///
  /// Only where ``isReady(for:)`` says so.
  public func receive(_ fragment: [UInt8], from machine: VMID) {
    guard let sender = machines[machine], sender.state == .running else { return }
    precondition(sender.outbox.isTakingRequests, "replies to \(machine.rawValue) wait")
    guard let request = sender.assembler.take(fragment) else { return }
    record(request, of: machine)
    handle(request, from: sender)
  }

  /// The next fragment for a machine, of at most ``RPCHeader/maximumFragmentSize`` bytes, or nil. It stays the next one
  /// until ``fragmentSent(to:)``.
  public func nextFragment(for machine: VMID) -> [UInt8]? {
    machines[machine]?.outbox.next
  }

  /// The next fragment is in the machine's queue.
  public func fragmentSent(to machine: VMID) {
    machines[machine]?.outbox.drop()
  }

  // MARK: What a report has

  /// Where a machine is in its life, or nil where there is none.
  public func state(of machine: VMID) -> MachineState? {
    machines[machine]?.state
  }

  /// What a machine's pages are, or nil where there is none.
  public func ownership(of machine: VMID) -> PageOwnership? {
    machines[machine]?.ownership
  }

  /// Whether memory of a home is any machine's, or a parcel's.
  public func hasMemory(of home: VMID) -> Bool {
    machines.values.contains { machine in machine.ownership.segments.contains { $0.piece.home == home } }
      || parcels.values.contains { parcel in parcel.pieces.contains { $0.home == home } }
  }

  /// A machine that was there at the start is connected with its peers: they are told that it runs.
  public func announce(_ machine: VMID) {
    if let machine = machines[machine] { sendStatus(of: machine) }
  }

  /// The memory parcels that there are, by handle.
  public var parcelReports: [MemparcelReport] {
    parcels.values.map(MemparcelReport.init).sorted { $0.handle < $1.handle }
  }

  /// The messages since the last time, if ``isRecording``: requests when they are complete, replies and notifications
  /// when they are given to the outbox.
  public func takeRecords() -> [RPCRecord] {
    defer { records = [] }
    return records
  }

  // MARK: For the rest of the manager

  func record(_ message: RPCMessage, of machine: VMID) {
    if isRecording { records.append(RPCRecord(machine: machine, message: message)) }
  }

  /// A handle that no parcel has. Some clients take 0 for none.
  func newHandle() -> UInt32 {
    repeat {
      lastHandle = lastHandle == .max ? 1 : lastHandle + 1
    } while parcels[lastHandle] != nil
    return lastHandle
  }

  /// Tells a machine something by itself, if it runs.
  func notify(_ machine: VMID, _ id: MessageID, _ payload: PayloadWriter) {
    guard let receiver = machines[machine], receiver.state == .running else { return }
    send(RPCMessage(kind: .notification, sequence: 0, id: id, payload: payload.bytes), to: receiver)
  }

  func send(_ message: RPCMessage, to machine: ManagedMachine) {
    record(message, of: machine.vmid)
    machine.outbox.put(message)
  }
}

/// A message between a machine and the resource manager; its kind says which way it went.
public struct RPCRecord: Equatable, Sendable {
  /// Whose link it went over.
  public var machine: VMID
  /// What was said.
  public var message: RPCMessage

  /// A record of these parts.
  public init(machine: VMID, message: RPCMessage) {
    self.machine = machine
    self.message = message
  }
}
