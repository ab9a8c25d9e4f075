import Gunyah
import ResourceManagerTesting
import TestSupport
import Testing

@Suite("A resource manager and hostile machines")
struct ManagerPropertyTests {
  @Test(
    "statement 20: whatever machines send and whoever dies, memory is with whom the manager says",
    arguments: 0..<40
  )
  func anyProgram(seed: UInt64) {
    var random = SplitMix64(seed: seed)

    for _ in 0..<25 {
      let bytes = (0..<400).map { _ in UInt8.random(in: 0...255, using: &random) }
      ManagerProgram.run(bytes)
    }
  }

  @Test("what a fuzzer begins with comes through", arguments: ManagerProgram.seeds)
  func seed(bytes: [UInt8]) {
    ManagerProgram.run(bytes)
  }

  @Test("a machine that sends requests and fetches nothing makes nothing grow without end")
  func bounded() {
    let bench = ManagerBench()
    let fragment = RPCMessage(
      kind: .request,
      sequence: 0,
      id: .getPeers,
      payload: [UInt8](repeating: 0, count: RPCHeader.maximumPayloadSize)
    ).fragments

    for _ in 0..<1_000 {
      for part in fragment where bench.manager.isReady(for: .primary) { bench.manager.receive(part, from: .primary) }
    }
    var waiting = 0
    while bench.manager.nextFragment(for: .primary) != nil {
      bench.manager.fragmentSent(to: .primary)
      waiting += 1
    }

    #expect(waiting == 8)
  }
}
