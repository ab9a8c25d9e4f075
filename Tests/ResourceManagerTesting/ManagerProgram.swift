internal import Gunyah

/// Any bytes as what machines send to a manager, and what happens to them. The manager must come through all of it with
/// the promises of ``ManagerBench/check()``, and answer each request.
public struct ManagerProgram {
  private var bytes: ArraySlice<UInt8>
  private let bench = ManagerBench(size: 64 * PageRange.pageSize)

  /// What a thorough client does, as bytes: for a fuzzer to begin with.
  public static let seeds: [[UInt8]] = [
    (0..<120).map { UInt8(truncatingIfNeeded: $0 &* 37) },
    [
      7, 0, 2, 0, 1, 0, 0, 4, 1, 7, 3, 0, 4, 8, 0, 0, 1, 8, 0, 1, 0, 8, 0, 2, 0, 9, 0, 0, 8, 0, 4, 0, 5, 1, 0, 0, 7, 1,
      0,
    ],
    [2, 0, 0, 1, 1, 7, 2, 2, 4, 1, 4, 0, 5, 0, 0, 128, 0, 5, 0, 1, 0, 5, 1, 0, 0],
    [2, 1, 2, 2, 0, 7, 1, 4, 8, 2, 6, 1, 0, 1, 3, 4, 0, 0, 128, 16],
  ]

  /// Does what the bytes say.
  public static func run(_ bytes: [UInt8]) {
    var program = ManagerProgram(bytes: bytes[...])
    while !program.bytes.isEmpty {
      program.step()
      program.bench.check()
    }
  }

  private init(bytes: ArraySlice<UInt8>) { self.bytes = bytes }

  private mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

  private mutating func machine() -> VMID {
    let all: [VMID] = [.primary, ManagerBench.neighbour, VMID(0x80), VMID(0x81), VMID(4), VMID(0), VMID(0xFF)]
    return all[Int(byte()) % all.count]
  }

  private mutating func parcel() -> UInt32 {
    let reports = bench.manager.parcelReports
    let choice = Int(byte())
    return choice < reports.count ? reports[choice].handle : UInt32(choice)
  }

  private mutating func access() -> [(VMID, MemoryRights)] {
    (0..<(byte() % 4)).map { _ in (machine(), MemoryRights(rawValue: byte() | 4)) }
  }

  private mutating func ranges() -> [(UInt64, UInt64)] {
    let start = ManagerBench.memory.start
    return (0..<(byte() % 5)).map { _ in (start + UInt64(byte() % 80) * 0x1000, UInt64(byte() % 8) * 0x1000) }
  }

  private func ask(_ id: MessageID, _ payload: [UInt8], from sender: VMID) {
    let answers = bench.manager.state(of: sender) == .running
    let reply = bench.payload(id, payload, from: sender)
    precondition(!answers || reply.count >= 4, "each request is answered")
  }

  private mutating func step() {
    switch byte() % 12 {
    case 0: fragment()
    case 1: anything()
    case 2: createParcel()
    case 3: ask(.append, Request.append(parcel(), isDone: byte() % 2 == 0, ranges()), from: machine())
    case 4: acceptParcel()
    case 5: giveBack()
    case 6:
      let receivers = (0..<(byte() % 3)).map { _ in machine() }
      ask(.notify, Request.notify(parcel(), byte() % 10, tag: UInt32(byte() % 2), to: receivers), from: machine())
    case 7:
      let isMade = byte() % 2 == 0
      ask(isMade ? .allocate : .deallocate, Request.machine(machine()), from: .primary)
    case 8: lead()
    case 9: happen()
    case 10: fail()
    default: ask([.getState, .getResources][Int(byte() % 2)], Request.machine(machine()), from: machine())
    }
  }

  private mutating func fragment() {
    let sender = machine()
    let count = min(Int(byte()), bytes.count, RPCHeader.maximumFragmentSize)
    let fragment = Array(bytes.prefix(count))
    bytes = bytes.dropFirst(count)
    if bench.manager.isReady(for: sender) { bench.manager.receive(fragment, from: sender) }
    _ = bench.told(.primary)
  }

  private mutating func anything() {
    let ids: [MessageID] = [
      .donate, .accept, .lend, .share, .release, .reclaim, .notify, .append, .allocate, .deallocate, .start, .stop,
      .reset,
      .configureImage, .authenticateImage, .initialize, .getOwner, .getState, .getResources, .getVMID, .getPeers,
      .setFirmwareMemory, .setStatus, .exit, .interruptAccept,
    ]
    let id = ids[Int(byte()) % ids.count]
    let count = min(Int(byte() % 64), bytes.count)
    let payload = Array(bytes.prefix(count))
    bytes = bytes.dropFirst(count)
    ask(id, payload, from: machine())
  }

  private mutating func createParcel() {
    let id = [MessageID.lend, .share, .donate][Int(byte() % 3)]
    let sender = machine()
    let attributes = (0..<(byte() % 2)).map { _ in (UInt16(byte() % 4), machine()) }
    let flags = byte() % 4
    let label = UInt32(byte() % 4)
    ask(id, Request.parcel(access(), ranges(), attributes: attributes, flags: flags, label: label), from: sender)
  }

  private mutating func acceptParcel() {
    let (sender, handle, transfer, flags) = (machine(), parcel(), byte() % 3, byte())
    let places: [(UInt64, UInt64)] = (0..<(byte() % 4)).map { _ in
      (0x4000_0000 + UInt64(byte() % 16) * 0x1000, UInt64(byte() % 4) * 0x1000)
    }
    // What one has to know to be let through is left out mostly.
    let mask: UInt8 = byte() % 4 == 0 ? 0xFF : 128 | 32 | 16
    ask(.accept, Request.accept(handle, transfer: transfer, flags: flags & mask, ranges: places), from: sender)
  }

  private mutating func giveBack() {
    let id: MessageID = byte() % 2 == 0 ? .release : .reclaim
    ask(id, Request.handle(parcel(), flags: byte() % 2), from: machine())
  }

  /// A machine's life, by its owner.
  private mutating func lead() {
    let (number, choice) = (machine(), byte() % 6)
    switch choice {
    case 0:
      let handle = parcel()
      let request = Request.configure(number, authentication: UInt16(byte() % 4), handle: handle)
      ask(.configureImage, request, from: .primary)
    case 1:
      var configuration = MachineConfiguration()
      let options = byte()
      if options & 1 == 1 { configuration.imageAddress = 0x4000_0000 + UInt64(byte() % 16) * 0x1000 }
      if options & 2 == 2 {
        let address = options & 4 == 4 ? 0x4000_0000 + UInt64(byte() % 16) * 0x1000 : nil
        let request = SharedMemoryRequest(label: UInt32(byte() % 4), address: address, isOptional: options & 8 == 8)
        configuration.sharedMemory = [request]
      }
      configuration.isProxyScheduled = options & 16 == 16
      configuration.peers = options & 32 == 32 ? [ManagerBench.neighbour] : []
      if options & 64 == 64 { configuration.reserved = [PageRange(start: 0x20_0000, size: 0x1000)] }
      bench.host.configurations[number] = configuration
      ask(.initialize, Request.machine(number), from: .primary)
    case 2: ask(.start, Request.machine(number), from: .primary)
    case 3: ask(.stop, Request.stop(number, force: byte() % 2 == 0), from: .primary)
    case 4: ask(.reset, Request.machine(number), from: .primary)
    default: ask(.exit, Request.exit(code: byte() % 6), from: number)
    }
  }

  private mutating func happen() {
    let number = machine()
    guard byte() % 8 == 0 else {
      let exits: [MachineExit] = [.off, .reset, .reset2(kind: 1, cookie: .max, is64Bit: false), .watchdog, .fault]
      return bench.manager.exited(number, exits[Int(byte()) % exits.count])
    }
    if number == .primary || number == ManagerBench.neighbour { bench.host.lose(number) }
    bench.manager.gone(number)
  }

  private mutating func fail() {
    let calls = ["create", "configure", "patchDeviceTree", "start", "revoke", "map"]
    let choice = Int(byte())
    bench.host.failures = choice % 2 == 0 ? [:] : [calls[choice / 2 % calls.count]: .noMemory]
  }
}
