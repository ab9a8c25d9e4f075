import Gunyah
import ResourceManagerTesting
import TestSupport
import Testing

@Suite("Parts of messages")
struct RPCFieldsTests {
  private func fields(_ kind: RPCMessageKind, _ id: MessageID, _ payload: [UInt8]) -> [RPCField] {
    RPCMessage(kind: kind, sequence: 0, id: id, payload: payload).fields
  }

  private func number(_ name: String, _ value: UInt64) -> RPCField { RPCField(name: name, value: .number(value)) }

  @Test("a loan has its lists")
  func loan() {
    let payload = Request.parcel([(VMID(5), .all)], [(0x8000_0000, 0x1000)], flags: 1, label: 7)

    let fields = fields(.request, .lend, payload)

    let range = [number("ipa", 0x8000_0000), number("size", 0x1000)]
    #expect(fields.map(\.name) == ["type", "flags", "label", "acl", "sgl", "attributes"])
    #expect(fields[1] == number("flags", 1))
    #expect(fields[3].value == .list([[number("vmid", 5), number("rights", 7)]]))
    #expect(fields[4].value == .list([range]))
  }

  @Test("an error is all that a refusal has, and what is not known is a rest")
  func errorsAndRests() {
    #expect(fields(.reply, .lend, [6, 0, 0, 0]) == [number("error", 6)])
    #expect(fields(.request, MessageID(rawValue: 1), [1, 2]) == [RPCField(name: "rest", value: .bytes([1, 2]))])
    #expect(fields(.request, .allocate, [1]) == [RPCField(name: "rest", value: .bytes([1]))])
    #expect(MessageID(rawValue: 1).name == nil && MessageID.lend.name == "MEM_LEND")
  }

  @Test("what the manager itself says has no rest")
  func managersMessages() {
    let bench = ManagerBench()
    bench.manager.isRecording = true
    let machine = bench.machine(in: .running)
    let access: [(VMID, MemoryRights)] = [(ManagerBench.neighbour, .all)]
    let range = (ManagerBench.memory.start + 0x10_0000, UInt64(0x2000))
    let handle = bench.number(.lend, Request.parcel(access, [range], attributes: [(3, ManagerBench.neighbour)])) ?? 0
    _ = bench.ask(.notify, Request.notify(handle, 1, to: [ManagerBench.neighbour]))
    _ = bench.ask(.accept, Request.accept(handle), from: ManagerBench.neighbour)
    _ = bench.ask(.notify, Request.notify(handle, 8, to: [ManagerBench.neighbour]))
    for id in [MessageID.getVMID, .getOwner, .getPeers] { _ = bench.ask(id, []) }
    for id in [MessageID.getState, .getResources] { _ = bench.ask(id, Request.machine(machine)) }
    _ = bench.ask(.stop, Request.stop(machine, force: false))
    bench.manager.exited(machine, .off)

    let messages = bench.manager.takeRecords().map(\.message)

    #expect(messages.count > 30)
    for message in messages {
      #expect(message.id.name != nil)
      #expect(message.fields.allSatisfy { $0.name != "rest" })
    }
  }

  @Test("any bytes have parts", arguments: 0..<20)
  func anyBytes(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let ids: [MessageID] = [
      .lend, .accept, .append, .notify, .getResources, .getPeers, .parcelShared, .authenticateImage,
    ]

    for _ in 0..<200 {
      let bytes = (0..<Int.random(in: 0..<60, using: &random)).map { _ in UInt8.random(in: 0...3, using: &random) }
      let kind: RPCMessageKind = [.request, .reply, .notification][Int.random(in: 0..<3, using: &random)]
      let fields = fields(kind, ids[Int.random(in: 0..<ids.count, using: &random)], bytes)
      #expect(fields.count <= 20)
    }
  }
}
