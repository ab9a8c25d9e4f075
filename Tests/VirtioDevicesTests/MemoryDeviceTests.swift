import GuestMemory
import TestSupport
import Testing
import Virtio
import VirtioDevices
import VirtioDriver
import VirtioMMIO
import VirtioTesting

@Suite struct MemoryDeviceTests {
  static let block: UInt64 = 2 << 20
  static let region = GuestRange(at: 0x1_0000_0000, size: 4 << 30)

  /// Types of requests and of responses, and states (virtio 1.3, 5.15.6).
  private enum Request {
    static let plug: UInt16 = 0
    static let unplug: UInt16 = 1
    static let unplugAll: UInt16 = 2
    static let state: UInt16 = 3
  }

  private struct Answer: Equatable {
    var type: UInt16
    var state: UInt16 = 0

    static let acknowledged = Answer(type: 0)
    static let refused = Answer(type: 1)
    static let busy = Answer(type: 2)
    static let error = Answer(type: 3)
    static func blocks(_ state: UInt16) -> Answer { Answer(type: 0, state: state) }
  }

  /// A driver that has set the device up.
  private struct Bench {
    let backend = MemoryBlocks()
    let device: MemoryDevice<MemoryBlocks>
    var fixture: DeviceFixture

    /// - Parameter requested: in blocks.
    init(requested: UInt64 = 8) throws {
      device = MemoryDevice(
        name: "memory0",
        backend: backend,
        region: MemoryDeviceTests.region,
        blockSize: MemoryDeviceTests.block,
        requestedSize: requested * MemoryDeviceTests.block
      )
      fixture = try DeviceFixture(device)
    }

    /// Puts a request into the queue and notifies.
    mutating func send(_ type: UInt16, at address: UInt64 = 0, count: UInt64 = 0, padding: UInt64 = 0) {
      var bytes = [UInt8](repeating: 0, count: 24)
      bytes.store(UInt64(type) | padding << 16, at: 0)
      bytes.store(address, at: 8)
      bytes.store(count | padding << 16, at: 16)
      fixture.machine.store(bytes, at: fixture.scratch)
      fixture.machine.store([UInt8](repeating: 0xEE, count: 16), at: fixture.scratch + 64)
      fixture.request(
        [.init(fixture.scratch, 24, isWritable: false), .init(fixture.scratch + 64, 10, isWritable: true)],
        to: 0
      )
    }

    /// The answer to the last request; nil where there is none.
    mutating func answer() -> Answer? {
      guard let used = fixture.queues[0].takeUsed() else { return nil }
      let bytes = fixture.machine.bytes(at: fixture.scratch + 64, count: 12)
      #expect(used == .init(head: 0, written: 10))
      #expect(Array(bytes[2..<8]) == [0, 0, 0, 0, 0, 0])
      #expect(Array(bytes[10...]) == [0xEE, 0xEE])
      return Answer(type: UInt16(bytes[0]) | UInt16(bytes[1]) << 8, state: UInt16(bytes[8]) | UInt16(bytes[9]) << 8)
    }

    mutating func ask(_ type: UInt16, block: UInt64 = 0, count: UInt64 = 0, offset: UInt64 = 0) -> Answer? {
      let start = MemoryDeviceTests.region.start.rawValue
      send(type, at: start &+ block &* MemoryDeviceTests.block &+ offset, count: count)
      return answer()
    }

    func field(_ offset: UInt64) -> UInt64 {
      let words = [offset, offset + 4].map { fixture.machine.readRegister(Register.configuration + $0, width: 4) }
      return words[0] | words[1] << 32
    }

    var usable: UInt64 { field(32) }
    var plugged: UInt64 { field(40) }
    var requested: UInt64 { field(48) }
  }

  @Test func theConfigurationTellsOfTheRegion() throws {
    let bench = try Bench()

    #expect(bench.field(0) == Self.block)
    #expect(bench.field(16) == 0x1_0000_0000)
    #expect(bench.field(24) == 4 << 30)
    #expect(bench.plugged == 0)
    #expect(bench.requested == 8 * Self.block)
    #expect(bench.usable == 8 * Self.block + (1 << 30))
    #expect(bench.fixture.driver.read(Register.deviceID) == 24)
  }

  @Test func aDriverThatWouldReadWhatIsUnpluggedIsNotAgreedWith() throws {
    let bench = try Bench()
    let driver = bench.fixture.driver
    let offered = driver.offeredFeatures

    #expect(offered & 0b11 == 0b10)
    #expect(!driver.negotiate(offered & ~0b10))
    #expect(bench.fixture.machine.faults == [.featureDependency])
    #expect(driver.negotiate(offered))
  }

  @Test func blocksArePluggedAndUnpluggedAndTheirStateIsTold() throws {
    var bench = try Bench()

    #expect(bench.ask(Request.plug, block: 3, count: 4) == .acknowledged)
    #expect(bench.plugged == 4 * Self.block)
    #expect(bench.ask(Request.state, block: 3, count: 4) == .blocks(0))
    #expect(bench.ask(Request.state, block: 7, count: 100) == .blocks(1))
    #expect(bench.ask(Request.state, block: 2, count: 2) == .blocks(2))
    #expect(bench.ask(Request.unplug, block: 4, count: 2) == .acknowledged)
    #expect(bench.plugged == 2 * Self.block)
    #expect(bench.ask(Request.state, block: 3, count: 4) == .blocks(2))
    #expect(bench.ask(Request.unplugAll) == .acknowledged)
    #expect(bench.plugged == 0)
    #expect(bench.backend.calls == [.plug(3..<7), .unplug(4..<6), .unplugAll])
    #expect(bench.fixture.machine.faults == [])
    #expect(bench.device.counters == counters(acknowledged: 7))
  }

  @Test func whatIsBeyondTheRequestedSizeIsRefused() throws {
    var bench = try Bench(requested: 2)

    #expect(bench.ask(Request.plug, count: 3) == .refused)
    #expect(bench.ask(Request.plug, count: 2) == .acknowledged)
    #expect(bench.ask(Request.plug, block: 2, count: 1) == .refused)
    #expect(bench.backend.calls == [.plug(0..<2)])
    #expect(bench.device.counters == counters(acknowledged: 1, refused: 2))
  }

  /// Each is answered as an error, and the back-end hears of none: where a request begins, in blocks and bytes, and how
  /// many blocks it names.
  private static let wrong: [(block: UInt64, offset: UInt64, count: UInt64)] = [
    // No block.
    (0, 0, 0),
    // Not where a block begins.
    (0, 1, 1), (0, block / 2, 1), (0, block - 1, 1),
    // Before the region, and at the ends of all addresses.
    (0, 0 &- block, 1), (0, 0 &- region.start.rawValue, 1), (0, 0 &- region.start.rawValue &- block, 2),
    // Behind the usable region: from inside, at its end, behind the region.
    (511, 0, 10), (520, 0, 1), (2048, 0, 1), (0, 0, 0xFFFF),
  ]

  @Test(arguments: wrong.indices, [Request.plug, Request.unplug, Request.state])
  func whatIsNotOfTheUsableRegionIsAnError(index: Int, type: UInt16) throws {
    var bench = try Bench()
    let request = Self.wrong[index]

    #expect(bench.ask(type, block: request.block, count: request.count, offset: request.offset) == .error)

    #expect(bench.backend.calls == [])
    #expect(bench.plugged == 0)
    #expect(bench.ask(Request.plug, count: 8) == .acknowledged)
  }

  @Test func whatIsPluggedIsNotPluggedAgainAndWhatIsNotIsNotUnplugged() throws {
    var bench = try Bench()
    #expect(bench.ask(Request.plug, block: 2, count: 2) == .acknowledged)

    #expect(bench.ask(Request.plug, block: 1, count: 2) == .error)
    #expect(bench.ask(Request.plug, block: 3, count: 1) == .error)
    #expect(bench.ask(Request.unplug, block: 0, count: 1) == .error)
    #expect(bench.ask(Request.unplug, block: 3, count: 2) == .error)

    #expect(bench.backend.calls == [.plug(2..<4)])
    #expect(bench.device.counters == counters(acknowledged: 1, errors: 4))
  }

  @Test func aRequestThatNobodyKnowsIsAnErrorAndPaddingMeansNothing() throws {
    var bench = try Bench()

    #expect(bench.ask(4, count: 1) == .error)
    #expect(bench.ask(0xFFFF, count: 1) == .error)
    bench.send(Request.plug, at: Self.region.start.rawValue, count: 1, padding: 0xFFFF_FFFF_FFFF)

    #expect(bench.answer() == .acknowledged)
    #expect(bench.backend.calls == [.plug(0..<1)])
  }

  @Test func aBackendWithoutMemoryMakesTheDeviceBusy() throws {
    var bench = try Bench()
    bench.backend.answer = .busy

    #expect(bench.ask(Request.plug, count: 1) == .busy)
    bench.backend.answer = .done
    #expect(bench.ask(Request.plug, count: 1) == .acknowledged)
    bench.backend.answer = .busy
    #expect(bench.ask(Request.unplug, count: 1) == .busy)
    #expect(bench.ask(Request.unplugAll) == .busy)

    #expect(bench.plugged == Self.block)
    #expect(bench.device.counters == counters(acknowledged: 1, busy: 3))
  }

  @Test func aBackendThatTakesItsTimeIsAskedOnceMoreAndTheAnswerComesThen() throws {
    var bench = try Bench()
    #expect(bench.ask(Request.plug, count: 4) == .acknowledged)
    bench.backend.answer = .later

    #expect(bench.ask(Request.unplug, block: 1, count: 1) == nil)
    bench.fixture.driver.notify(0)
    #expect(bench.answer() == nil)
    bench.backend.answer = .done
    #expect(!bench.device.backendReady())

    #expect(bench.answer() == .acknowledged)
    #expect(bench.plugged == 3 * Self.block)
    #expect(bench.answer() == nil)
  }

  @Test func aDeviceThatIsResetWhileItsBackendTakesItsTimeHasForgottenTheRequest() throws {
    var bench = try Bench()
    #expect(bench.ask(Request.plug, count: 4) == .acknowledged)
    bench.backend.answer = .later
    #expect(bench.ask(Request.unplug, block: 1, count: 1) == nil)

    let features = bench.fixture.driver.offeredFeatures
    bench.fixture = try DeviceFixture.again(bench.fixture, features)
    bench.backend.answer = .done

    #expect(!bench.device.backendReady())
    #expect(bench.plugged == 4 * Self.block)
    #expect(bench.ask(Request.state, count: 4) == .blocks(0))
  }

  @Test func aNewRequestedSizeIsToldAndTheUsableRegionOnlyGrows() throws {
    var bench = try Bench(requested: 0)
    #expect(bench.usable == 0)
    let before = bench.fixture.machine.line.count

    bench.device.setRequestedSize(1024 * Self.block)
    #expect(bench.fixture.machine.line.count == before + 1)
    #expect(bench.fixture.driver.interruptStatus == 2)
    #expect(bench.usable == 1536 * Self.block)
    bench.device.setRequestedSize(2 * Self.block)
    #expect(bench.usable == 1536 * Self.block)
    #expect(bench.requested == 2 * Self.block)
    bench.device.setRequestedSize(2048 * Self.block)
    #expect(bench.usable == 2048 * Self.block)
    bench.device.setRequestedSize(2 * Self.block)

    #expect(bench.ask(Request.unplugAll) == .acknowledged)
    #expect(bench.usable == 514 * Self.block)
  }

  @Test func pluggedSizesAreNotToldByInterrupts() throws {
    var bench = try Bench()
    bench.fixture.driver.write(3, to: Register.interruptACK)

    #expect(bench.ask(Request.plug, count: 1) == .acknowledged)

    #expect(bench.fixture.driver.interruptStatus == 1)
  }

  @Test func aResetOfTheDeviceLeavesTheBlocksAsTheyAre() throws {
    var bench = try Bench()
    #expect(bench.ask(Request.plug, block: 5, count: 2) == .acknowledged)
    let features = bench.fixture.driver.offeredFeatures

    bench.fixture = try DeviceFixture.again(bench.fixture, features)

    #expect(bench.plugged == 2 * Self.block)
    #expect(bench.ask(Request.state, block: 5, count: 2) == .blocks(0))
    #expect(bench.backend.calls == [.plug(5..<7)])
  }

  @Test func aRequestThatIsCutShortIsAFault() throws {
    for lengths in [(23, 10), (24, 9)] as [(UInt32, UInt32)] {
      var bench = try Bench()
      bench.fixture.request(
        [
          .init(bench.fixture.scratch, lengths.0, isWritable: false),
          .init(bench.fixture.scratch + 64, lengths.1, isWritable: true),
        ],
        to: 0
      )

      #expect(bench.fixture.machine.faults == [lengths.0 == 23 ? .headerIncomplete : .writableMissing])
      #expect(bench.fixture.driver.status & Status.deviceNeedsReset != 0)
    }
  }

  /// A model that keeps a set of blocks answers the same.
  @Test func anyRequestsAreAnsweredAsTheSpecificationSays() throws {
    var random = SplitMix64(seed: 0x5EED)
    var bench = try Bench(requested: 96)
    var plugged: Set<Int> = []
    for _ in 0..<3000 {
      let type = UInt16.random(in: 0..<5, using: &random)
      let first = Int.random(in: 0..<200, using: &random)
      let count = Int.random(in: 0..<130, using: &random)
      let blocks = Set(first..<first + count)
      let have = plugged.intersection(blocks).count
      let expected: Answer
      switch type {
      case _ where type < 4 && type != Request.unplugAll && count == 0: expected = .error
      case Request.plug:
        expected = have > 0 ? .error : plugged.count + count > 96 ? .refused : .acknowledged
        if expected == .acknowledged { plugged.formUnion(blocks) }
      case Request.unplug:
        expected = have < count ? .error : .acknowledged
        if expected == .acknowledged { plugged.subtract(blocks) }
      case Request.unplugAll:
        // Seldom, or nothing would ever be plugged.
        guard Int.random(in: 0..<20, using: &random) == 0 else { continue }
        expected = .acknowledged
        plugged = []
      case Request.state: expected = .blocks(have == 0 ? 1 : have == count ? 0 : 2)
      default: expected = .error
      }

      #expect(bench.ask(type, block: UInt64(first), count: UInt64(count)) == expected)
      #expect(bench.backend.plugged == plugged)
      #expect(bench.plugged == UInt64(plugged.count) * Self.block)
    }
  }

  private func counters(
    acknowledged: UInt64 = 0,
    refused: UInt64 = 0,
    busy: UInt64 = 0,
    errors: UInt64 = 0
  ) -> MemoryCounters {
    var counters = MemoryCounters()
    (counters.acknowledged, counters.refused) = (acknowledged, refused)
    (counters.busy, counters.errors) = (busy, errors)
    return counters
  }
}

extension DeviceFixture {
  /// The same machine after its driver has reset the device and set it up anew.
  fileprivate static func again(_ fixture: DeviceFixture, _ features: UInt64) throws -> DeviceFixture {
    var fixture = fixture
    fixture.queues = fixture.queues.map {
      Queue(fixture.machine, index: $0.index, size: $0.size, at: $0.descriptorTable)
    }
    fixture.start(features)
    return fixture
  }
}
