import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@Suite struct EntropyDeviceTests {
  @Test func writableBuffersAreFilled() throws {
    var fixture = try DeviceFixture(EntropyDevice(name: "rng", source: CountingEntropy()))
    let at = fixture.scratch

    fixture.request([.init(at, 3, isWritable: true), .init(at + 16, 2, isWritable: true)], to: 0)

    #expect(fixture.machine.bytes(at: at, count: 4) == [1, 2, 3, 0])
    #expect(fixture.machine.bytes(at: at + 16, count: 3) == [4, 5, 0])
    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 5))
    #expect(fixture.machine.line.count == 1)
  }

  @Test func sourceThatRunsDryFillsWhatItHas() throws {
    let source = CountingEntropy()
    source.available = 2
    var fixture = try DeviceFixture(EntropyDevice(name: "rng", source: source))

    fixture.request([.init(fixture.scratch, 8, isWritable: true)], to: 0)

    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 2))
  }

  @Test func hugeRequestIsCutAtTheLimit() throws {
    var fixture = try DeviceFixture(EntropyDevice(name: "rng", source: CountingEntropy()))

    fixture.request([.init(fixture.scratch, 0x20000, isWritable: true)], to: 0)

    #expect(fixture.queues[0].takeUsed() == .init(head: 0, written: 65536))
  }

  @Test func readableBufferIsAFault() throws {
    var fixture = try DeviceFixture(EntropyDevice(name: "rng", source: CountingEntropy()))

    fixture.request([.init(fixture.scratch, 8, isWritable: false)], to: 0)

    #expect(fixture.machine.faults == [.readableUnexpected])
    #expect(fixture.driver.status & Status.deviceNeedsReset != 0)
  }

  @Test func guestThatAsksWithoutEndGetsOneTurnAtATime() throws {
    var fixture = try DeviceFixture(EntropyDevice(name: "rng", source: CountingEntropy()), queueSize: 64)
    for head in 0..<64 { fixture.offer([.init(fixture.scratch, 1, isWritable: true)], to: 0, head: UInt16(head)) }

    let more = fixture.machine.transport.kick(queue: 0)

    #expect(more)
    #expect(fixture.queues[0].usedIndex == 16)
  }
}
