import Testing

@testable import Apus

@Suite("Events of a machine")
struct MachineEventsTests {
  @Test("A listener hears what comes after it, in order and numbered, and nothing after its end")
  func listenerHearsInOrder() async {
    let events = MachineEvents()
    let (stream, continuation) = AsyncStream.makeStream(of: MachineEvent.self)
    events.post(.deviceReset(device: "before"))

    let subscription = events.listen { continuation.yield($0) }
    events.post(.state(.running))
    events.post(.deviceReset(device: "block0"))
    events.end(subscription)
    events.post(.deviceReset(device: "after"))

    continuation.finish()
    var heard: [MachineEvent] = []
    for await event in stream { heard.append(event) }
    #expect(heard.map(\.kind) == [.state(.running), .deviceReset(device: "block0")])
    #expect(heard.map(\.number) == [2, 3])
    #expect(heard[0].time <= heard[1].time)
  }
}
