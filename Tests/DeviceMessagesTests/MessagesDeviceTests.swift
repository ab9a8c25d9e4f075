import TestSupport
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioTesting

@testable import DeviceMessages

@Suite struct MessagesDeviceTests {
  @Test func entropyOfAnotherProcessFillsABuffer() throws {
    let fixture = try MessagesFixture(.entropy, EntropyDevice(name: "rng", source: CountingEntropy()))
    let at = fixture.driver.scratch

    fixture.driver.request([.init(at, 5, isWritable: true), .init(at + 0x100, 3, isWritable: true)])
    var used: TestDriver.Queue.Used?
    let isThere = fixture.loop.turn {
      used = fixture.driver.queues[0].takeUsed()
    } until: {
      used != nil
    }

    #expect(isThere)
    #expect(used == .init(head: 0, written: 8))
    #expect(fixture.driver.machine.bytes(at: at, count: 6) == [1, 2, 3, 4, 5, 0])
    #expect(fixture.driver.machine.bytes(at: at + 0x100, count: 4) == [6, 7, 8, 0])
    #expect(fixture.device.reach == .messages)
  }

  @Test func moreChainsThanCreditAllowsComeOneAfterTheOther() throws {
    let backend = MemoryBlock(sectors: 20000)
    let fixture = try MessagesFixture(.block, BlockDevice(name: "disk", backend: backend), windowSize: 0x100_0000)
    let at = fixture.driver.scratch
    // Five chains of nearly eight MiB, all of which read to the same place, and credit for four.
    for head in 0..<5 {
      let header = at + 0x1000 * UInt64(head)
      fixture.driver.machine.store64(0, at: header)
      fixture.driver.machine.store64(UInt64(head), at: header + 8)
      fixture.driver.queues[0].writeChain(
        [
          .init(header, 16, isWritable: false), .init(at + 0x10_0000, 0x7E_0000, isWritable: true),
          .init(header + 16, 1, isWritable: true),
        ],
        from: UInt16(3 * head)
      )
      fixture.driver.queues[0].offer(UInt16(3 * head))
    }
    fixture.driver.machine.driver.notify(0)

    var done: [UInt32] = []
    let areDone = fixture.loop.turn {
      while let used = fixture.driver.queues[0].takeUsed() {
        #expect(used.written == 0x7E_0001)
        done.append(used.head)
      }
    } until: {
      done.count == 5
    }

    #expect(areDone)
    #expect(done == [0, 3, 6, 9, 12])
    let last = fixture.driver.machine.bytes(at: at + 0x10_0000, count: 4096)
    #expect(firstDifference(last, backend.bytes[4 * 512..<4 * 512 + 4096]) == nil)
  }

  @Test func randomRequestsComeBackAsFromADeviceInProcess() throws {
    var random = SplitMix64(seed: UInt64.random(in: 0...UInt64.max))
    let (there, here) = (MemoryBlock(sectors: 512), MemoryBlock(sectors: 512))
    let fixture = try MessagesFixture(.block, BlockDevice(name: "disk", backend: there, serial: "abc"))
    var reference = try TestDriver(BlockDevice(name: "disk", backend: here, serial: "abc"), ImmediateThread())
    reference.start()
    for round in 0..<300 {
      let noise = (0..<0x4000).map { _ in UInt8.random(in: 0...255, using: &random) }
      let chain = Self.randomChain(at: fixture.driver.scratch, &random)
      fixture.driver.machine.store(noise, at: fixture.driver.scratch)
      reference.machine.store(noise, at: reference.scratch)
      for (address, bytes) in chain.stores {
        fixture.driver.machine.store(bytes, at: address)
        reference.machine.store(bytes, at: address)
      }

      reference.request(chain.buffers)
      fixture.driver.request(chain.buffers)
      let expected = reference.queues[0].takeUsed()
      var used: TestDriver.Queue.Used?
      let isOver = fixture.loop.turn {
        used = fixture.driver.queues[0].takeUsed()
      } until: {
        used != nil || expected == nil && fixture.driver.needsReset
      }

      #expect(isOver, "round \(round)")
      #expect(used == expected, "round \(round)")
      #expect(fixture.driver.needsReset == reference.needsReset, "round \(round)")
      #expect(fixture.driver.machine.faults == reference.machine.faults, "round \(round)")
      let count = 0x4000
      let difference = firstDifference(
        fixture.driver.machine.bytes(at: fixture.driver.scratch, count: count),
        reference.machine.bytes(at: reference.scratch, count: count)
      )
      #expect(difference == nil, "round \(round)")
      if reference.needsReset {
        reference.start()
        fixture.driver.start()
        fixture.driver.machine.observer.forget()
        reference.machine.observer.forget()
      }
    }
    #expect(firstDifference(there.bytes, here.bytes) == nil)
    #expect(there.calls.filter { $0 != .commit } == here.calls.filter { $0 != .commit })
  }

  private struct Chain {
    var stores: [(UInt64, [UInt8])] = []
    var buffers: [TestDriver.Queue.Buffer] = []
  }

  /// A request, most of them good, cut into buffers anywhere.
  private static func randomChain(at scratch: UInt64, _ random: inout SplitMix64) -> Chain {
    var chain = Chain()
    let types: [UInt32] = [0, 0, 0, 1, 1, 1, 4, 8, 11, 13, 99]
    let type = types.randomElement(using: &random) ?? 0
    var header: [UInt8] = []
    header.append(number: type)
    header.append(number: UInt32(0))
    header.append(number: UInt64.random(in: 0..<520, using: &random))
    var readable = header
    var writable = 1
    switch type {
    case 1: readable += (0..<512 * Int.random(in: 0...6, using: &random)).map { UInt8(truncatingIfNeeded: $0) }
    case 11, 13:
      readable.append(number: UInt64.random(in: 0..<512, using: &random))
      readable.append(number: UInt32.random(in: 0...8, using: &random))
      readable.append(number: UInt32.random(in: 0...1, using: &random))
    case 4: break
    default: writable += Int.random(in: 0...6, using: &random) * (Bool.random(using: &random) ? 512 : 100)
    }
    if Int.random(in: 0..<40, using: &random) == 0 { readable.removeLast(readable.count - 7) }
    var address = scratch
    func cut(_ count: Int, isWritable: Bool) {
      var left = count
      while left > 0 {
        let isRest = chain.buffers.count >= (isWritable ? 14 : 7)
        let piece = isRest ? left : Int.random(in: 1...left, using: &random)
        chain.buffers.append(.init(address, UInt32(piece), isWritable: isWritable))
        if !isWritable {
          chain.stores.append((address, Array(readable[readable.count - left..<readable.count - left + piece])))
        }
        address += UInt64(piece) + UInt64.random(in: 0...8, using: &random)
        left -= piece
      }
    }
    cut(readable.count, isWritable: false)
    cut(writable, isWritable: true)
    return chain
  }

  @Test func resetEndsWhenNothingIsInFlightAndNothingComesLater() throws {
    let backend = MemoryBlock(sectors: 64)
    backend.isDeferred = true
    let model = BlockDevice(name: "disk", backend: backend)
    let fixture = try MessagesFixture(.block, model)
    let at = fixture.driver.scratch
    fixture.driver.machine.store64(0, at: at)
    fixture.driver.machine.store64(1, at: at + 8)
    fixture.driver.request([
      .init(at, 16, isWritable: false), .init(at + 0x1000, 512, isWritable: true), .init(at + 16, 1, isWritable: true),
    ])
    #expect(fixture.loop.turn(until: { backend.inFlight == 1 }))
    var rounds = 0
    let loop = fixture.loop
    fixture.thread.whileWaiting = {
      rounds += 1
      if rounds == 20 {
        backend.finishAll()
        _ = model.backendReady()
      }
      loop.turn()
    }

    fixture.driver.machine.driver.reset()
    let before = fixture.driver.machine.bytes(at: at, count: 0x2000)
    loop.turn(milliseconds: 30)

    #expect(rounds >= 20)
    #expect(firstDifference(fixture.driver.machine.bytes(at: at, count: 0x2000), before) == nil)
    #expect(before[0x1000..<0x1200].allSatisfy { $0 == 0 })
    fixture.driver.start()
    #expect(!fixture.driver.needsReset)
  }

  @Test func configurationChangesOfTheModelReachTheDriver() throws {
    let backend = MemoryBlock(sectors: 64)
    let model = BlockDevice(name: "disk", backend: backend)
    let fixture = try MessagesFixture(.block, model)
    backend.bytes += [UInt8](repeating: 0, count: 512)

    model.capacityChanged()
    let isTold = fixture.loop.turn(until: { fixture.device.configuration.load(0, as: UInt64.self) == 65 })

    #expect(isTold)
    #expect(fixture.driver.machine.driver.interruptStatus & 2 != 0)
  }

  @Test func whatADriverWritesReachesTheModel() throws {
    let backend = MemoryBlock(sectors: 64)
    let model = BlockDevice(name: "disk", backend: backend)
    let fixture = try MessagesFixture(.block, model)

    fixture.driver.machine.writeRegister(0x100 + 32, width: 1, 0)

    #expect(fixture.loop.turn(until: { model.configuration.load(32, as: UInt8.self) == 0 }))
  }
}
