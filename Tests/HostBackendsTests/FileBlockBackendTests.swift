import Glibc
import GuestMemory
import Host
import Logging
import Synchronization
import TestSupport
import Testing
import VirtioDevices
import VirtioDriver
import VirtioTesting

@testable import HostBackends

@Suite(.timeLimit(.minutes(10))) struct FileBlockBackendTests {
  private static let gibibyte = 1 << 30

  private func backend(
    _ image: TestImage,
    startThread: @escaping FileBlockBackend.StartThread = { body throws(HostError) in
      try HostThread(name: "disk", body)
    }
  ) throws -> FileBlockBackend {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    return try FileBlockBackend(
      try DiskImage(path: image.path, isReadOnly: false),
      name: "disk",
      logger: logger,
      startThread: startThread
    )
  }

  /// Waits for so many.
  private func completions(_ count: Int, of backend: FileBlockBackend) throws -> [BlockCompletion] {
    let loop = try EventLoop()
    var taken: [BlockCompletion] = []
    let take = {
      while let completion = backend.nextCompletion() { taken.append(completion) }
      if taken.count >= count { loop.stop() }
      return false
    }
    try backend.connect(loop, take)
    try loop.run()
    loop.removeAll()
    return taken
  }

  @Test(arguments: TestImage.Place.allCases)
  func requestsOfAHostThatGivesNoThreadsFail(place: TestImage.Place) throws {
    let image = try TestImage(place, size: 1 << 20)
    let backend = try backend(image) { _ throws(HostError) in throw HostError("a test", errno: EAGAIN, advice: "") }
    backend.prepare(requests: 4)

    backend.discard(tag: 3, offset: 0, count: 4096)
    backend.writeZeroes(tag: 1, offset: 4096, count: 4096, mayDiscard: true, isDurable: false)
    backend.commit()
    let taken = [backend.nextCompletion(), backend.nextCompletion(), backend.nextCompletion()]

    #expect(taken == [.init(tag: 3, succeeded: false), .init(tag: 1, succeeded: false), nil])
    backend.shutDown()
  }

  @Test func inMemoryAMebibyteIsMovedAtOnceAndASectorMoreByAWorker() throws {
    let image = try TestImage(.memory, size: 4 << 20)
    let started = Atomic(0)
    let backend = try backend(image) { body throws(HostError) in
      started.add(1, ordering: .relaxed)
      return try HostThread(name: "disk", body)
    }
    backend.prepare(requests: 4)
    let buffer = TestBuffer((0..<(1 << 20) + 512).map { UInt8(truncatingIfNeeded: $0 / 512) })

    // SAFETY: the segments lie in the buffer, which outlives its requests; here and below.
    unsafe backend.write(
      tag: 0,
      offset: 512,
      count: 1 << 20,
      from: buffer.segments([(0, 4096), (4096, (1 << 20) - 4096)]),
      isDurable: false
    )
    unsafe backend.read(tag: 1, offset: 512, count: 1 << 20, into: buffer.segments([(0, 1 << 20)]))
    backend.commit()
    let atOnce = [backend.nextCompletion(), backend.nextCompletion()]
    let startedForThese = started.load(ordering: .relaxed)
    unsafe backend.write(
      tag: 2,
      offset: 1 << 20,
      count: (1 << 20) + 512,
      from: buffer.segments([(0, (1 << 20) + 512)]),
      isDurable: true
    )
    unsafe backend.read(tag: 3, offset: 0, count: (1 << 20) + 512, into: buffer.segments([(0, (1 << 20) + 512)]))
    let early = backend.nextCompletion()
    backend.commit()
    let later = try completions(2, of: backend)

    #expect(atOnce == [.init(tag: 0, succeeded: true), .init(tag: 1, succeeded: true)])
    #expect(startedForThese == 0)
    #expect(early == nil)
    #expect(Set(later.map(\.tag)) == [2, 3] && later.allSatisfy(\.succeeded))
    #expect(started.load(ordering: .relaxed) == 4)
    backend.shutDown()
  }

  @Test(arguments: TestImage.Place.allCases)
  func aRequestOfManyPiecesMovesEveryByteToItsPlace(place: TestImage.Place) throws {
    let size = 40 << 20
    let image = try TestImage(place, size: size + 4096)
    let backend = try backend(image)
    backend.prepare(requests: 2)
    // Each sector begins with its number.
    let written = TestBuffer([UInt8](repeating: 7, count: size))
    for sector in 0..<size / 512 { written.put(UInt32(sector), at: 512 * sector) }
    let read = TestBuffer([UInt8](repeating: 0, count: size))

    // SAFETY: the segments lie in buffers that outlive the requests; here and below.
    unsafe backend.write(
      tag: 0,
      offset: 1024,
      count: size,
      from: written.segments([(0, 512), (512, 18 << 20), ((18 << 20) + 512, (22 << 20) - 512)]),
      isDurable: false
    )
    backend.commit()
    let first = try completions(1, of: backend)
    unsafe backend.read(
      tag: 1,
      offset: 1024,
      count: size,
      into: read.segments([(0, 35 << 20), (35 << 20, 1536), ((35 << 20) + 1536, (5 << 20) - 1536)])
    )
    backend.commit()
    let second = try completions(1, of: backend)

    #expect(first == [.init(tag: 0, succeeded: true)])
    #expect(second == [.init(tag: 1, succeeded: true)])
    #expect(read.isEqual(to: written))
    #expect(image.read(4, at: 1024 + 512 * 300) == [44, 1, 0, 0])
    backend.shutDown()
  }

  @Test func zeroingHoursOfMemoryLeavesTheDeviceThreadFreeAndIsLeftAtTheEnd() throws {
    let image = try TestImage(.memory, size: Self.gibibyte)
    let backend = try backend(image)
    let device = BlockDevice(name: "disk", backend: backend)
    var fixture = try DeviceFixture(device, queueSize: 128)
    let ranges = fixture.scratch + 0x2000
    for index in 0..<16 as Range<UInt64> {
      fixture.machine.store64(0, at: ranges + 16 * index)
      fixture.machine.store32(UInt32(Self.gibibyte / 512), at: ranges + 16 * index + 8)
      fixture.machine.store32(0, at: ranges + 16 * index + 12)
    }
    fixture.machine.store32(13, at: fixture.scratch)
    for request in 0..<32 as Range<UInt16> {
      fixture.offer(
        [
          .init(fixture.scratch, 16, isWritable: false), .init(ranges, 256, isWritable: false),
          .init(fixture.scratch + 0x1000, 1, isWritable: true),
        ],
        to: 0,
        head: 3 * request
      )
    }

    fixture.driver.notify(0)
    let answered = fixture.queues[0].usedIndex
    fixture.offer(
      [.init(fixture.scratch + 0x40, 16, isWritable: false), .init(fixture.scratch + 0x1001, 1, isWritable: true)],
      to: 0,
      head: 96
    )
    fixture.machine.store32(4, at: fixture.scratch + 0x40)
    fixture.driver.notify(0)
    let answeredThen = fixture.queues[0].usedIndex
    backend.shutDown()

    #expect(answered == 0)
    #expect(answeredThen == 1, "a flush beside it")
    #expect(image.size.taken < Self.gibibyte / 2, "each worker has ended with the piece that it had begun")
  }
}
