import Gunyah
import ResourceManagerTesting
import Testing

/// Statement 14: each row of the errors of memory parcels, and which comes first where there are two.
@Suite("Errors of memory parcels")
struct MemparcelErrorTests {
  private static let neighbour = ManagerBench.neighbour
  private static let start = ManagerBench.memory.start
  private static let page: (UInt64, UInt64) = (start, 0x1000)

  /// A request to make a parcel, and the error.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var id: MessageID
    var payload: [UInt8]
    var error: RMError?

    var testDescription: String { name }
  }

  private static func row(
    _ name: String,
    _ error: RMError?,
    id: MessageID = .lend,
    _ access: [(VMID, MemoryRights)] = [(neighbour, .all)],
    _ ranges: [(UInt64, UInt64)] = [page],
    attributes: [(UInt16, VMID)] = [],
    kind: UInt8 = 0,
    flags: UInt8 = 0
  ) -> Row {
    let payload = Request.parcel(access, ranges, attributes: attributes, kind: kind, flags: flags)
    return Row(name: name, id: id, payload: payload, error: error)
  }

  private static func rights(_ bits: UInt8) -> MemoryRights { MemoryRights(rawValue: bits) }

  private static let many = (0..<513).map { (start + UInt64($0) * 0x1000, UInt64(0x1000)) }
  private static let manyMachines = (0..<513).map { (VMID(UInt16($0)), MemoryRights.all) }
  private static let nobody = VMID(0x9F)
  private static let whole: [UInt8] = Request.parcel([(neighbour, .all)], [page])

  static let rows: [Row] = [
    row("512 entries", nil, [(neighbour, .all)], Array(many.prefix(512))),
    row("513 entries", .noResource, [(neighbour, .all)], many),
    row("513 machines", .noResource, manyMachines),
    row("513 attributes", .noResource, attributes: (0..<513).map { (0, VMID(UInt16($0))) }),
    Row(name: "a byte more", id: .lend, payload: whole + [0], error: .messageInvalid),
    Row(name: "a byte less", id: .lend, payload: Array(whole.dropLast()), error: .messageInvalid),
    Row(name: "nothing", id: .lend, payload: [], error: .messageInvalid),
    Row(name: "no list", id: .share, payload: Array(whole.prefix(8)), error: .messageInvalid),
    row("no machine", .argumentInvalid, []),
    row("no memory", .argumentInvalid, [(neighbour, .all)], []),
    row("no memory and a bad machine", .argumentInvalid, [(nobody, .all)], []),
    row("sanitised device", .argumentInvalid, kind: 1, flags: 1),
    row("another kind of memory", .argumentInvalid, kind: 2),
    row("a machine twice", .argumentInvalid, [(neighbour, .all), (neighbour, .read)]),
    row("an unknown machine", .argumentInvalid, [(nobody, .all)]),
    row("no rights", .argumentInvalid, [(neighbour, [])]),
    row("write alone", .argumentInvalid, [(neighbour, .write)]),
    row("execute alone", .argumentInvalid, [(neighbour, .execute)]),
    row("write and execute", .argumentInvalid, [(neighbour, [.write, .execute])]),
    row("a bit more", .argumentInvalid, [(neighbour, rights(0xF))]),
    row("read", nil, [(neighbour, .read)]),
    row("read and execute", nil, [(neighbour, [.read, .execute])]),
    row("read and write", nil, [(neighbour, [.read, .write])]),
    row("a device that can be run", .argumentInvalid, [(neighbour, .all)], kind: 1),
    row("a device", .memoryInvalid, [(neighbour, [.read, .write])], kind: 1),
    row("a loan to oneself", .argumentInvalid, [(.primary, .all)]),
    row("a loan to oneself, too", .argumentInvalid, [(neighbour, .all), (.primary, .all)]),
    row("shared without oneself", .argumentInvalid, id: .share),
    row("shared", nil, id: .share, [(neighbour, .all), (.primary, .read)]),
    row("shared with oneself alone", nil, id: .share, [(.primary, .read)]),
    row("a donation to two", .argumentInvalid, id: .donate, [(neighbour, .all), (.primary, .all)]),
    row("a donation without all rights", .denied, id: .donate, [(neighbour, .read)]),
    row("a donation to oneself", .argumentInvalid, id: .donate, [(.primary, .all)]),
    row("a donation", nil, id: .donate),
    row("attributes of a machine twice", .argumentInvalid, attributes: [(0, neighbour), (3, neighbour)]),
    row("attributes of another machine", .vmidInvalid, attributes: [(0, .primary)]),
    row("memory as a device", .argumentInvalid, attributes: [(1, neighbour)]),
    row("uncached memory", .argumentInvalid, attributes: [(2, neighbour)]),
    row("attributes that are none", .argumentInvalid, attributes: [(4, neighbour)]),
    row("cached memory", nil, attributes: [(3, neighbour)]),
    row("a donation with attributes", .argumentInvalid, id: .donate, attributes: [(3, neighbour)]),
    row("an odd address", .argumentInvalid, [(neighbour, .all)], [(start + 1, 0x1000)]),
    row("an odd size", .argumentInvalid, [(neighbour, .all)], [(start, 0x800)]),
    row("no size", .argumentInvalid, [(neighbour, .all)], [(start, 0)]),
    row("a range that wraps", .argumentInvalid, [(neighbour, .all)], [(UInt64.max - 0xFFF, 0x2000)]),
    row("all addresses", .argumentInvalid, [(neighbour, .all)], [(0x1000, UInt64.max - 0xFFF)]),
    row("a hole", .memoryInvalid, [(neighbour, .all)], [(0, 0x1000)]),
    row("a hole behind memory", .memoryInvalid, [(neighbour, .all)], [page, (0, 0x1000)]),
    row("twice, and odd behind it", .memoryInvalid, [(neighbour, .all)], [page, page, (1, 1)]),
    row("odd, and twice behind it", .argumentInvalid, [(neighbour, .all)], [page, (1, 1), page]),
    row("odd behind a hole", .memoryInvalid, [(neighbour, .all)], [(0, 0x1000), (1, 1)]),
  ]

  @Test("statement 14: making a parcel", arguments: rows)
  func create(row: Row) {
    let bench = ManagerBench()

    let error = bench.ask(row.id, row.payload)

    #expect(error == row.error)
    #expect(bench.manager.parcelReports.count == (row.error == nil ? 1 : 0))
    if row.error != nil { #expect(bench.manager.ownership(of: .primary)?.segments.count == 2) }
    bench.check()
  }

  @Test("statement 14: adding to a parcel")
  func append() {
    let bench = ManagerBench()
    let open = bench.number(.lend, Request.parcel([(Self.neighbour, .all)], [Self.page], flags: 2)) ?? 0
    let next = [(Self.start + 0x1000, UInt64(0x1000))]

    #expect(bench.ask(.append, Request.append(open, isDone: false, [])) == .argumentInvalid)
    #expect(bench.ask(.append, Request.append(open, isDone: false, Self.many)) == .noResource)
    #expect(bench.ask(.append, Request.append(open, isDone: false, next) + [0]) == .messageInvalid)
    #expect(bench.ask(.append, Request.append(99, isDone: false, next)) == .handleInvalid)
    #expect(bench.ask(.append, Request.append(open, isDone: false, next), from: Self.neighbour) == .denied)
    #expect(bench.ask(.append, Request.append(open, isDone: false, next + [Self.page])) == .memoryInvalid)
    #expect(bench.host.store(.primary, next[0].0, 1))
    #expect(bench.ask(.append, Request.append(open, isDone: true, next)) == nil)
    #expect(bench.ask(.append, Request.append(open, isDone: true, next)) == .denied)
    bench.check()
  }

  /// A bench with a loan to the neighbour of two pages with the label 7, and its handle.
  private func lent(
    _ rights: MemoryRights = .all,
    attributes: [(UInt16, VMID)] = [(3, neighbour)]
  ) -> (ManagerBench, UInt32) {
    let bench = ManagerBench()
    let ranges: [(UInt64, UInt64)] = [Self.page, (Self.start + 0x4000, 0x1000)]
    let request = Request.parcel([(Self.neighbour, rights)], ranges, attributes: attributes, label: 7)
    return (bench, bench.number(.lend, request) ?? 0)
  }

  private func accept(_ bench: ManagerBench, _ payload: [UInt8]) -> RMError? {
    let error = bench.ask(.accept, payload, from: Self.neighbour)
    bench.check()
    return error
  }

  @Test("statement 14: accepting a parcel that is not what it is taken for")
  func acceptValidates() {
    let (bench, handle) = lent()
    let lists: [(VMID, MemoryRights)] = [(Self.neighbour, .all)]

    #expect(accept(bench, Request.accept(99)) == .handleInvalid)
    #expect(accept(bench, Request.accept(handle) + [0]) == .messageInvalid)
    #expect(accept(bench, Request.accept(handle, kind: 1)) == .argumentInvalid)
    #expect(accept(bench, Request.accept(handle, transfer: 0)) == .argumentInvalid)
    #expect(accept(bench, Request.accept(handle, transfer: 2)) == .argumentInvalid)
    #expect(accept(bench, Request.accept(handle, flags: 128 | 1)) == .validateFailed)
    #expect(accept(bench, Request.accept(handle, flags: 128 | 4, label: 8)) == .validateFailed)
    #expect(accept(bench, Request.accept(handle, flags: 128 | 2)) == .validateFailed)
    #expect(accept(bench, Request.accept(handle, flags: 128 | 2, access: lists)) == .validateFailed)
    let other = Request.accept(handle, flags: 128 | 2, access: lists, attributes: [(0, Self.neighbour)])
    #expect(accept(bench, other) == .validateFailed)
    let same = Request.accept(handle, flags: 128 | 6, label: 7, access: lists, attributes: [(3, Self.neighbour)])
    #expect(accept(bench, same) == nil)
  }

  @Test("statement 14: accepting for another machine, without the right, or twice")
  func acceptDenied() {
    let (bench, handle) = lent(.read)

    #expect(accept(bench, Request.accept(handle, mapped: 5)) == .argumentInvalid)
    #expect(accept(bench, Request.accept(handle, flags: 128 | 8, mapped: 5)) == .denied)
    #expect(accept(bench, Request.accept(handle, flags: 128 | 32)) == .argumentInvalid)
    #expect(bench.ask(.accept, Request.accept(handle)) == .vmidInvalid)
    #expect(accept(bench, Request.accept(handle)) == nil)
    #expect(accept(bench, Request.accept(handle)) == .denied)
    let shared = bench.number(.share, Request.parcel([(.primary, .all)], [(Self.start + 0x8000, 0x1000)])) ?? 0
    #expect(bench.ask(.accept, Request.accept(shared, transfer: 2)) == .denied)
  }

  @Test("statement 14: accepting where it cannot be")
  func acceptPlaces() {
    let (bench, handle) = lent()
    let place: UInt64 = 0x4000_0000
    func places(_ ranges: (UInt64, UInt64)...) -> [UInt8] { Request.accept(handle, ranges: ranges) }

    #expect(accept(bench, places((place, 0x1000))) == .argumentInvalid)
    #expect(accept(bench, places((place, 0x1000), (place + 0x1000, 0x2000))) == .argumentInvalid)
    #expect(accept(bench, places((place, 0x1000), (place + 0x1000, 0x1000), (0, 0x1000))) == .argumentInvalid)
    #expect(accept(bench, places((place, 0x1000), (place + 0x800, 0x1000))) == .argumentInvalid)
    #expect(accept(bench, places((place, 0x1000), (1 << 40, 0x1000))) == .argumentInvalid)
    #expect(accept(bench, places((place, 0x1000), (UInt64.max - 0xFFF, 0x1000))) == .argumentInvalid)
    #expect(accept(bench, places((place, 0x1000), (place, 0x1000))) == .noResource)
    let used = ManagerBench.neighboursMemory.end - 0x1000
    #expect(accept(bench, places((place, 0x1000), (used, 0x1000))) == .noResource)
    bench.host.failures["map"] = .noMemory
    #expect(accept(bench, places((place, 0x1000), (place + 0x2000, 0x1000))) == .mapFailed)
    bench.host.failures = [:]
    #expect(accept(bench, places((place + 0x2000, 0x1000), (place, 0x1000))) == nil)
    #expect(bench.ask(.reclaim, Request.handle(handle)) == .memoryInUse)
  }

  @Test("statement 14: a parcel that is accepted in part is in use, and is mapped when it is done")
  func acceptInParts() {
    let (bench, handle) = lent()
    let place: UInt64 = 0x4000_0000

    let first = accept(bench, Request.accept(handle, flags: 0, ranges: [(place, 0x1000)]))
    let reclaim = bench.ask(.reclaim, Request.handle(handle))
    let contiguous = accept(bench, Request.accept(handle, flags: 128 | 16))
    let early = bench.host.load(Self.neighbour, place)
    let last = accept(bench, Request.accept(handle, ranges: [(place + 0x1000, 0x1000)]))
    let mapped = bench.host.load(Self.neighbour, place)
    let released = bench.ask(.release, Request.handle(handle), from: Self.neighbour)
    let again = accept(bench, Request.accept(handle, flags: 0, ranges: [(place, 0x1000)]))
    let releasedInPart = bench.ask(.release, Request.handle(handle), from: Self.neighbour)

    #expect(first == nil && last == nil && again == nil)
    #expect(reclaim == .memoryInUse && contiguous == .argumentInvalid)
    #expect(early == nil && mapped != nil)
    #expect(released == nil && releasedInPart == nil)
    #expect(bench.ask(.reclaim, Request.handle(handle)) == nil)
    bench.check()
  }

  @Test("statement 14: releasing and reclaiming what one has no right to")
  func releaseAndReclaim() {
    let (bench, handle) = lent(.read)
    let shared = bench.number(.share, Request.parcel([(.primary, .all)], [(Self.start + 0x8000, 0x1000)])) ?? 0

    #expect(bench.ask(.release, Request.handle(99)) == .handleInvalid)
    #expect(bench.ask(.release, Request.handle(handle)) == .handleInvalid)
    #expect(bench.ask(.release, Request.handle(shared)) == .denied)
    #expect(bench.ask(.release, Request.handle(handle), from: Self.neighbour) == .memoryReleased)
    #expect(bench.ask(.release, Request.handle(handle) + [0], from: Self.neighbour) == .messageInvalid)
    #expect(accept(bench, Request.accept(handle)) == nil)
    #expect(bench.ask(.release, Request.handle(handle, flags: 1), from: Self.neighbour) == .argumentInvalid)
    #expect(bench.ask(.reclaim, Request.handle(99)) == .handleInvalid)
    #expect(bench.ask(.reclaim, Request.handle(handle), from: Self.neighbour) == .denied)
    #expect(bench.ask(.reclaim, Request.handle(handle)) == .memoryInUse)
    #expect(bench.ask(.reclaim, Request.handle(handle) + [0]) == .messageInvalid)
    #expect(bench.ask(.release, Request.handle(handle), from: Self.neighbour) == nil)
    #expect(bench.ask(.reclaim, Request.handle(handle)) == nil)
    bench.check()
  }

  @Test("statement 14: an image that is being authenticated cannot be taken back, and can afterwards")
  func lockedImage() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .authentication)

    let locked = bench.ask(.reclaim, Request.handle(1))
    let refused = bench.ask(.authenticateImage, Request.authenticate(machine))
    let reclaimed = bench.ask(.reclaim, Request.handle(1))

    #expect(locked == .denied && refused == .argumentInvalid && reclaimed == nil)
    #expect(bench.manager.state(of: machine) == .initializationFailed)
  }
}
