import Gunyah
import ResourceManagerTesting
import Testing

@Suite("Notifications of memory parcels")
struct NotifyTests {
  private static let neighbour = ManagerBench.neighbour
  private static let start = ManagerBench.memory.start

  private func lent() -> (ManagerBench, UInt32) {
    let bench = ManagerBench()
    let ranges: [(UInt64, UInt64)] = [(Self.start, 0x1000), (Self.start + 0x4000, 0x2000)]
    let request = Request.parcel(
      [(Self.neighbour, [.read, .write])],
      ranges,
      attributes: [(3, Self.neighbour)],
      flags: 1,
      label: 0xAABB
    )
    return (bench, bench.number(.lend, request) ?? 0)
  }

  @Test("a shared parcel is told with its lists and sizes, and without its addresses")
  func shared() {
    let (bench, handle) = lent()

    let error = bench.ask(.notify, Request.notify(handle, 1, tag: 0x77, to: [Self.neighbour]))

    let head = Payload().adding(handle).adding(UInt8(0), 1, 1, 0).adding(UInt16(3), 0).adding(UInt32(0xAABB), 0x77)
    let lists = head.adding(UInt32(1)).adding(UInt16(5)).adding(UInt8(6), 0).adding(UInt32(2))
      .adding(UInt64(0x1000), 0x2000).adding(UInt32(1)).adding(UInt16(3), 5)
    let told = bench.told(Self.neighbour)
    #expect(error == nil)
    #expect(told.map(\.id) == [.parcelShared])
    #expect(told.first?.payload == lists.bytes)
  }

  @Test("accepted, released and recalled are told when they are true, with the first tag")
  func acceptedAndReleased() {
    let (bench, handle) = lent()
    let tag: UInt32 = 0x77
    func notify(_ kind: UInt8, from machine: VMID = Self.neighbour, to: [VMID]? = nil, tag: UInt32 = tag) -> RMError? {
      bench.ask(.notify, Request.notify(handle, kind, tag: tag, to: to), from: machine)
    }

    #expect(notify(1, from: .primary, to: [Self.neighbour]) == nil)
    #expect(notify(4) == .memoryReleased)
    #expect(notify(2) == nil)
    #expect(notify(2, tag: 0x78) == .argumentInvalid)
    _ = bench.ask(.accept, Request.accept(handle), from: Self.neighbour)
    #expect(notify(2) == .memoryInUse)
    #expect(notify(4) == nil)
    #expect(notify(8, from: .primary, to: [Self.neighbour]) == nil)

    let payload = Payload().adding(handle).adding(UInt16(5), 0).adding(tag).bytes
    let told = bench.told(.primary)
    #expect(told.map(\.id) == [.parcelReleased, .parcelAccepted])
    #expect(told.allSatisfy { $0.payload == payload })
    #expect(bench.told(Self.neighbour).last?.payload == Payload().adding(handle, tag).bytes)
  }

  @Test("what may not be told")
  func errors() {
    let (bench, handle) = lent()
    let good = Request.notify(handle, 1, to: [Self.neighbour])

    #expect(bench.ask(.notify, Request.notify(99, 1, to: [Self.neighbour])) == .handleInvalid)
    #expect(bench.ask(.notify, []) == .messageInvalid)
    #expect(bench.ask(.notify, good + [0]) == .messageInvalid)
    #expect(bench.ask(.notify, Array(good.dropLast())) == .messageInvalid)
    #expect(bench.ask(.notify, Request.notify(handle, 1)) == .messageInvalid)
    #expect(bench.ask(.notify, Request.notify(handle, 1, to: [])) == .argumentInvalid)
    #expect(bench.ask(.notify, Request.notify(handle, 1, to: [.primary])) == .argumentInvalid)
    #expect(bench.ask(.notify, Request.notify(handle, 1, to: [VMID(0x9F)])) == .argumentInvalid)
    let two = [Self.neighbour, Self.neighbour]
    #expect(bench.ask(.notify, Request.notify(handle, 1, to: two)) == .argumentInvalid)
    for kind in [0, 3, 5, 16] as [UInt8] {
      #expect(bench.ask(.notify, Request.notify(handle, kind, to: [Self.neighbour])) == .argumentInvalid)
    }
    for kind in [1, 8] as [UInt8] {
      let request = Request.notify(handle, kind, to: [Self.neighbour])
      #expect(bench.ask(.notify, request, from: Self.neighbour) == .denied)
    }
    #expect(bench.ask(.notify, Request.notify(handle, 4)) == .handleInvalid)
    #expect(bench.told(Self.neighbour).isEmpty)
  }

  @Test("for a machine that is READY the manager accepts what its device tree asks for, and tells so")
  func acceptedForReady() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .initial)
    var configuration = MachineConfiguration()
    configuration.sharedMemory = [SharedMemoryRequest(label: 7, address: 0x5000_0000, isOptional: false)]
    bench.host.configurations[machine] = configuration
    _ = bench.ask(.initialize, Request.machine(machine))
    let range = (Self.start + 0x10_0000, UInt64(0x1000))
    let wanted = bench.number(.lend, Request.parcel([(machine, .all)], [range], label: 7)) ?? 0
    let other = (Self.start + 0x20_0000, UInt64(0x1000))
    let unwanted = bench.number(.lend, Request.parcel([(machine, .all)], [other], label: 8)) ?? 0
    _ = bench.told(.primary)

    let errors = [wanted, unwanted].map { bench.ask(.notify, Request.notify($0, 1, to: [machine])) }

    #expect(errors == [nil, nil])
    #expect(bench.told(.primary).map(\.id) == [.parcelAccepted, .parcelReleased])
    #expect(bench.host.load(machine, 0x5000_0000) != nil)
    #expect(bench.ask(.start, Request.machine(machine)) == nil)
    #expect(bench.host.layouts[machine]?.sharedMemory.map(\.label) == [7])
    bench.check()
  }

  @Test("messages are recorded, if somebody wants them, in their order")
  func records() {
    let bench = ManagerBench()
    _ = bench.ask(.getVMID, [])
    bench.manager.isRecording = true

    _ = bench.ask(.setStatus, Request.status(os: 1, application: 2), from: Self.neighbour)

    let records = bench.manager.takeRecords()
    #expect(records.map(\.message.kind) == [.request, .notification, .reply])
    #expect(records.map(\.machine) == [Self.neighbour, .primary, Self.neighbour])
    #expect(bench.manager.takeRecords().isEmpty)
  }
}
