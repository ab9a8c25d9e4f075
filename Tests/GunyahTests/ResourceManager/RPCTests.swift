import Gunyah
import ResourceManagerTesting
import Testing

@Suite("Fragments of messages")
struct RPCTests {
  private func message(_ size: Int, kind: RPCMessageKind = .request) -> RPCMessage {
    let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    return RPCMessage(kind: kind, sequence: 0x1234, id: .getVMID, payload: payload)
  }

  @Test(
    "statement 10: a message of any size comes back from its fragments",
    arguments: [0, 1, 231, 232, 233, 464, 465, 14_384, RPCHeader.maximumPayloadSize]
  )
  func roundTrip(size: Int) {
    let message = message(size)
    var assembler = RPCAssembler(of: [.request])

    let fragments = message.fragments
    let results = fragments.map { assembler.take($0) }

    #expect(results.last == message)
    #expect(results.dropLast().allSatisfy { $0 == nil })
    #expect(fragments.allSatisfy { $0.count <= 240 && $0[0] == 0x21 && $0[1] >> 2 == fragments.count - 1 })
    #expect(fragments.count == max(1, (size + 231) / 232))
  }

  @Test("statement 10: a request of 14,384 bytes has 62 continuations at most, and a reply 63 fragments")
  func sizesOfTheSpecification() {
    #expect(message(14_384).fragments.count == 62)
    #expect(message(RPCHeader.maximumPayloadSize).fragments.count == 63)
  }

  @Test("statement 10: what is no fragment is dropped, and the message before it goes on")
  func nonsenseIsDropped() {
    let message = message(300)
    let fragments = message.fragments
    var wrongVersion = fragments[0]
    wrongVersion[0] = 0x20
    var tooMany = fragments[0]
    tooMany[1] = 1 | 63 << 2
    var assembler = RPCAssembler(of: [.request])

    let started = assembler.take(fragments[0])
    let nonsense = [wrongVersion, tooMany, Array(fragments[0].prefix(7)), [], fragments[0] + [0]].map {
      assembler.take($0)
    }
    let completed = assembler.take(fragments[1])

    #expect(started == nil)
    #expect(nonsense.allSatisfy { $0 == nil })
    #expect(completed == message)
  }

  @Test("statement 10: a continuation without its message is dropped")
  func strayContinuations() {
    let fragments = message(500).fragments
    var assembler = RPCAssembler(of: [.request])

    let stray = assembler.take(fragments[1])
    let first = assembler.take(fragments[0])
    var others: [RPCMessage?] = []
    for (index, change) in [(1, UInt8(1 << 2)), (2, 1), (4, 1)] {
      var other = fragments[1]
      other[index] ^= change
      others.append(assembler.take(other))
    }
    let second = assembler.take(fragments[1])
    let third = assembler.take(fragments[2])
    let again = assembler.take(fragments[2])

    #expect(stray == nil && first == nil && second == nil && again == nil)
    #expect(others.allSatisfy { $0 == nil })
    #expect(third != nil)
  }

  @Test("statement 10: a new request gives up the one before it, whose continuations are dropped then")
  func newRequestDiscards() {
    let first = message(300).fragments
    var second = message(300)
    second.sequence = 2
    var assembler = RPCAssembler(of: [.request])

    let results = [first[0], second.fragments[0], first[1], second.fragments[1]].map { assembler.take($0) }

    #expect(results == [nil, nil, nil, second])
  }

  @Test("a first fragment that comes twice begins anew")
  func firstTwice() {
    let message = message(300)
    var assembler = RPCAssembler(of: [.request])

    let results = [message.fragments[0], message.fragments[0], message.fragments[1]].map { assembler.take($0) }

    #expect(results == [nil, nil, message])
  }

  @Test("a link of requests drops replies and notifications", arguments: [RPCMessageKind.reply, .notification])
  func wrongKind(kind: RPCMessageKind) {
    let fragments = message(0, kind: kind).fragments
    var assembler = RPCAssembler(of: [.request])

    let result = assembler.take(fragments[0])

    #expect(result == nil)
  }

  @Test("statement 10: an unknown message is answered so, with the request's header")
  func unknownMessage() {
    let bench = ManagerBench()

    let error = bench.ask(MessageID(rawValue: 0x5600_0031), [])
    let other = bench.ask(MessageID(rawValue: 0), [UInt8](repeating: 1, count: 14_000))

    #expect(error == .unimplemented)
    #expect(other == .unimplemented)
  }

  @Test("interrupts of hardware cannot be lent", arguments: 0x5600_0050...0x5600_0055 as ClosedRange<UInt32>)
  func interruptsCannotBeLent(number: UInt32) {
    #expect(ManagerBench().ask(MessageID(rawValue: number), [0, 0]) == .interruptInvalid)
  }

  @Test("statement 10: fragments of two messages for a machine are never mixed")
  func neverInterleaved() {
    let bench = ManagerBench()
    let neighbour = ManagerBench.neighbour
    let ranges = (0..<400).map { (ManagerBench.memory.start + UInt64($0) * 0x2000, UInt64(0x1000)) }
    let handle = bench.number(.share, Request.parcel([(.primary, .all), (neighbour, .all)], ranges)) ?? 0
    let accept = RPCMessage(kind: .request, sequence: 1, id: .accept, payload: Request.accept(handle, transfer: 2))
    let recall = RPCMessage(
      kind: .request,
      sequence: 1,
      id: .notify,
      payload: Request.notify(handle, 8, to: [neighbour])
    )

    bench.manager.receive(accept.fragments[0], from: neighbour)
    bench.manager.receive(recall.fragments[0], from: .primary)
    var kinds: [UInt8] = []
    while let fragment = bench.manager.nextFragment(for: neighbour) {
      kinds.append(fragment[1] & 3)
      bench.manager.fragmentSent(to: neighbour)
    }

    let reply = 4 + 4 + 400 * 16
    #expect(kinds == [2] + [UInt8](repeating: 0, count: (reply - 1) / 232) + [3])
  }

  @Test("while many replies wait, no further request is taken, and each is answered in the end")
  func backPressure() {
    let bench = ManagerBench()
    let request = RPCMessage(kind: .request, sequence: 9, id: .getVMID, payload: [])
    var taken = 0

    while bench.manager.isReady(for: .primary), taken < 100 {
      bench.manager.receive(request.fragments[0], from: .primary)
      taken += 1
    }
    var sent = 0
    while bench.manager.nextFragment(for: .primary) != nil {
      bench.manager.fragmentSent(to: .primary)
      sent += 1
    }

    #expect(taken == 8)
    #expect(sent == 8)
    #expect(bench.manager.isReady(for: .primary))
  }

  @Test("of more notifications than wait, the oldest are dropped")
  func notificationsAreBounded() {
    let bench = ManagerBench()
    let neighbour = ManagerBench.neighbour

    for number in 0..<300 {
      let request = Request.status(os: 0, application: UInt16(number))
      _ = bench.manager.isReady(for: neighbour)
      let message = RPCMessage(kind: .request, sequence: 0, id: .setStatus, payload: request)
      bench.manager.receive(message.fragments[0], from: neighbour)
      bench.manager.fragmentSent(to: neighbour)
    }
    let told = bench.told(.primary).map { Payload.number($0.payload, at: 6) as UInt16 }

    // The one that was being sent, and the newest 256.
    #expect(told == [0] + Array(44..<300))
  }
}
