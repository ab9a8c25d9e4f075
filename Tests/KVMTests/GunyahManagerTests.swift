import Apus
import ApusTesting
import Gunyah
import GunyahSupport
import ResourceManagerTesting
import Testing

@Suite("Gunyah's resource manager on KVM", .requiresKVM, .ownThread)
struct GunyahManagerTests {
  private static let memory = GunyahMachine.memory + 0x80_0000

  /// A primary machine with a client of the manager's.
  private static func withClient(
    trees: [[UInt8]] = [],
    _ body: (RMClient) async throws -> Void
  ) async throws {
    try await GunyahMachine.boot(trees: trees) { puppet, _ in try await body(RMClient(puppet)) }
  }

  @Test("10: a request of 62 continuations is answered, and what is no fragment is dropped without a word")
  func fragments() async throws {
    try await Self.withClient { client in
      let queue = client.link.capabilities[0]
      let unknown = MessageID(rawValue: 0x5600_00FF)
      let longest = [UInt8](repeating: 0, count: 14_384)
      #expect(try await client.request(unknown, longest).error == .unimplemented)
      let all = [UInt8](repeating: 0, count: RPCHeader.maximumPayloadSize)
      #expect(try await client.request(unknown, all).error == .unimplemented)

      let whole = RPCMessage(kind: .request, sequence: 9, id: .getVMID, payload: []).fragments[0]
      var version = whole
      version[0] = 0x20
      var tooMany = whole
      tooMany[1] = 63 << 2 | 1
      var stray = whole
      stray[1] = 0
      for fragment in [version, tooMany, stray, Array(whole.prefix(7)), [0x21]] {
        #expect(try await client.puppet.send(fragment, to: queue)[0] == 0)
      }
      #expect(try await client.message(milliseconds: 300) == nil)

      // A new request discards one that is not complete.
      let parts = RPCMessage(kind: .request, sequence: 8, id: unknown, payload: Array(longest.prefix(1000))).fragments
      for fragment in parts.dropLast() { try await client.send(fragment) }
      #expect(try await client.success(.getVMID).word() == 3)
      try await client.send(parts[parts.count - 1])
      #expect(try await client.message(milliseconds: 300) == nil)
      #expect(try await client.success(.getPeers).payload.count == 4)
    }
  }

  @Test("12: each call in a state that does not allow it, or for a machine that is none, has its error")
  func states() async throws {
    let tree = try SecondaryPuppet.tree(gic: KVMHost.interruptControllers[0])
    try await Self.withClient(trees: [tree]) { client in
      let machine = try await client.allocate()
      func errors(_ expected: [(MessageID, RMError?)]) async throws {
        for (id, error) in expected {
          let payload =
            switch id {
            case .stop: Request.stop(machine, force: true)
            case .authenticateImage: Request.authenticate(machine)
            case .configureImage: Request.configure(machine, handle: 0x7FFF)
            case .setFirmwareMemory: Request.firmware(machine)
            default: Request.machine(machine)
            }
          let reply = try await client.request(id, payload)
          #expect(reply.error == error, "\(String(id.rawValue, radix: 16))")
        }
      }
      let wrong = RMError.machineState
      #expect(try await client.state(of: machine) == .load)
      try await errors([
        (.start, wrong), (.stop, wrong), (.reset, wrong), (.initialize, wrong), (.authenticateImage, wrong),
        (.setFirmwareMemory, wrong), (.getResources, .noResource),
      ])
      let handle = try await SecondaryPuppet.lendImage(client, to: machine, memory: GunyahMachine.memory)
      let image = PageRange(start: SecondaryPuppet.imageOffset, size: 0x1_0000)
      let deviceTree = PageRange(start: 0, size: SecondaryPuppet.treeSize)
      let configure = Request.configure(machine, handle: handle, image: image, deviceTree: deviceTree)
      try await client.success(.configureImage, configure)
      #expect(try await client.state(of: machine) == .initial)
      try await errors([
        (.configureImage, wrong), (.start, wrong), (.stop, wrong), (.reset, wrong), (.deallocate, wrong),
        (.authenticateImage, wrong), (.setFirmwareMemory, .argumentInvalid),
      ])
      try await client.success(.initialize, Request.machine(machine))
      #expect(try await client.state(of: machine) == .ready)
      try await errors([
        (.configureImage, wrong), (.initialize, wrong), (.stop, wrong), (.deallocate, wrong),
        (.authenticateImage, wrong), (.setFirmwareMemory, wrong), (.getResources, nil),
      ])
      try await client.success(.start, Request.machine(machine))
      #expect(try await client.state(of: machine) == .running)
      try await errors([
        (.configureImage, wrong), (.initialize, wrong), (.start, wrong), (.reset, wrong), (.deallocate, wrong),
        (.stop, nil),
      ])
      #expect(try await client.state(of: machine) == .exited)
      try await errors([
        (.configureImage, wrong), (.initialize, wrong), (.start, wrong), (.stop, wrong), (.deallocate, wrong),
        (.reset, nil), (.reset, wrong), (.start, wrong), (.getResources, .noResource),
      ])
      #expect(try await client.takeStates(of: machine) == [.initial, .ready, .running, .exited, .resetting, .reset])

      // No image: INIT_FAILED, from which a reset alone leads.
      try await errors([
        (.configureImage, .memoryInvalid), (.configureImage, wrong), (.initialize, wrong), (.start, wrong),
        (.deallocate, wrong), (.reset, nil), (.deallocate, nil), (.deallocate, .vmidInvalid), (.start, .vmidInvalid),
        (.stop, .vmidInvalid), (.reset, .vmidInvalid), (.getState, .noResource), (.getResources, .argumentInvalid),
        (.initialize, .vmidInvalid),
      ])
    }
  }

  @Test("12: a machine of its own that is no primary one makes no machine, and ends none")
  func stranger() async throws {
    try await GunyahMachine.bootPair { client, other, machine in
      let stranger = try await RMClient(other)
      #expect(try await stranger.success(.getVMID).word() == UInt32(machine.vmid.rawValue))
      #expect(try await stranger.success(.getOwner).word() == 3)
      #expect(try await stranger.request(.allocate, Request.machine(VMID(0))).error == .denied)
      #expect(try await stranger.request(.stop, Request.stop(.primary, force: true)).error == .vmidInvalid)
      #expect(try await stranger.request(.reset, Request.machine(machine.vmid)).error == .vmidInvalid)
      #expect(try await stranger.request(.deallocate, Request.machine(.primary)).error == .denied)
      #expect(try await stranger.request(.setStatus, Request.status(os: 1, application: 0)).error == .denied)
      #expect(try await stranger.state(of: .primary) != nil)
      #expect(try await client.state(of: machine.vmid) == .running)
    }
  }

  @Test(
    "13: each way in which a machine ends has its type and size",
    arguments: ["o", "r", "r2 80000000 1234", "stop", "l 4 b000000", "exit"]
  )
  func ends(how: String) async throws {
    try await GunyahMachine.bootPair { client, other, machine in
      switch how {
      case "stop": try await client.success(.stop, Request.stop(machine.vmid, force: true))
      case "exit":
        let request = RPCMessage(kind: .request, sequence: 1, id: .exit, payload: Request.exit(flags: 2, code: 1))
        let queue = try #require(await other.node()).capabilities[0]
        let bytes = request.fragments[0].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        try await other.end("qs \(String(queue, radix: 16)) 0 \(bytes)")
      default: try await other.end(how)
      }

      let exited = try await client.notification(.machineExited)
      let kind: UInt16 = Payload.number(exited, at: 2)
      let size: UInt32 = Payload.number(exited, at: 4)
      let expected: [String: (UInt16, UInt32)] = [
        "o": (1, 4), "r": (2, 4), "r2 80000000 1234": (3, 16), "stop": (7, 4), "l 4 b000000": (5, 4), "exit": (0, 4),
      ]
      #expect(Payload.number(exited, at: 0) == machine.vmid.rawValue)
      #expect((kind, size) == expected[how] ?? (99, 0))
      #expect(exited.count == 8 + Int(size))
      if kind == 0 { #expect(Payload.number(exited, at: 8) == UInt32(2 | 1 << 16)) }
      if kind == 3 {
        #expect(Payload.number(exited, at: 12) == UInt32(0x8000_0000))
        #expect(Payload.number(exited, at: 16) == UInt64(0x1234))
      }
      #expect(try await client.state(of: machine.vmid) == .exited)
    }
  }

  @Test("14: the 65th parcel, 513 entries and 600 in two parts are answered as they should be")
  func limits() async throws {
    try await Self.withClient { client in
      let machine = try await client.allocate()
      let pages = (0..<600).map { (Self.memory + 2 * UInt64($0) * 0x1000, UInt64(0x1000)) }
      let tooMany = Request.parcel([(machine, .all)], Array(pages.prefix(513)))
      #expect(try await client.request(.lend, tooMany).error == .noResource)

      let most = Request.parcel([(machine, .all)], Array(pages.prefix(300)), flags: 2)
      let handle = try await client.success(.lend, most).word()
      try await client.success(.append, Request.append(handle, isDone: true, Array(pages[300...])))
      for index in [0, 299, 300, 599] {
        #expect(try await client.puppet.load(pages[index].0).exceptionClass == 0x25)
        #expect(try await client.puppet.load(pages[index].0 + 0x1000).exceptionClass == nil)
      }
      try await client.success(.reclaim, Request.handle(handle))
      #expect(try await client.puppet.verify(Self.memory, 1200 * 0x1000, is: 0) == .done(0))

      var handles: [UInt32] = []
      for index in 0..<64 {
        handles.append(try await client.parcel(.lend, [(machine, .all)], [pages[index]]))
      }
      #expect(Set(handles).count == 64 && !handles.contains(0))
      let lend = Request.parcel([(machine, .all)], [pages[64]])
      #expect(try await client.request(.lend, lend).error == .denied)
      for handle in handles { try await client.success(.reclaim, Request.handle(handle)) }
      #expect(try await client.puppet.verify(Self.memory, 128 * 0x1000, is: 0) == .done(0))
    }
  }

  @Test("14: a loan that fails, by whatever entry, leaves all of the memory where it was")
  func failures() async throws {
    try await Self.withClient { client in
      let machine = try await client.allocate()
      let page: (UInt64, UInt64) = (Self.memory, 0x1000)
      let rows: [(String, RMError, [UInt8])] = [
        ("a hole", .memoryInvalid, Request.parcel([(machine, .all)], [page, (0x3000_0000, 0x1000)])),
        ("the end", .memoryInvalid, Request.parcel([(machine, .all)], [page, (0x47FF_F000, 0x2000)])),
        ("twice", .memoryInvalid, Request.parcel([(machine, .all)], [page, page])),
        ("odd", .argumentInvalid, Request.parcel([(machine, .all)], [page, (Self.memory + 0x1001, 0x1000)])),
        ("wraps", .argumentInvalid, Request.parcel([(machine, .all)], [page, (.max - 0xFFF, 0x2000)])),
        ("nobody", .argumentInvalid, Request.parcel([(VMID(0x90), .all)], [page])),
        ("itself", .argumentInvalid, Request.parcel([(.primary, .all)], [page])),
        ("rights", .argumentInvalid, Request.parcel([(machine, .write)], [page])),
        ("device", .memoryInvalid, Request.parcel([(machine, [.read, .write])], [page], kind: 1)),
        ("long", .messageInvalid, Request.parcel([(machine, .all)], [page]) + [0]),
      ]
      for (name, error, payload) in rows {
        #expect(try await client.request(.lend, payload).error == error, "\(name)")
        #expect(try await client.puppet.load(Self.memory).exceptionClass == nil, "\(name)")
      }
      #expect(try await client.puppet.store(1, at: Self.memory).exceptionClass == nil)
    }
  }
}
