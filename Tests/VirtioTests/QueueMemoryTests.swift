import GuestMemory
import Testing
import Virtio
import VirtioDriver
import VirtioMMIO
import VirtioTesting

/// Queues whose buffers are not simply in the window.
@Suite struct QueueMemoryTests {
  private typealias Queue = DriverQueue<TestMachine>

  private static let page = TestTranslation.page
  private static let features = Feature.version1 | Feature.accessPlatform | Feature.indirectDescriptors

  private func start(_ machine: TestMachine, size: UInt16 = 16) -> Queue {
    let queue = Queue(machine, index: 0, size: size, at: machine.windowStart)
    #expect(machine.driver.negotiate(Self.features))
    #expect(machine.driver.enable(queue))
    machine.driver.start()
    return queue
  }

  /// A window that the device sees behind its own, of one page.
  private func addPiece(to machine: TestMachine, _ permissions: DMAPermissions) throws -> DMASpace {
    let start = machine.windowStart + machine.windowSize
    let piece = try DMAWindow(name: "piece", range: GuestRange(at: start, size: Self.page))
    machine.transport.connection.space.add(piece, permissions: permissions)
    return piece.makeSpace()
  }

  private func write(_ bytes: [UInt8], to space: DMASpace, at address: UInt64) {
    // SAFETY: the space is the caller's.
    #expect(unsafe bytes.withUnsafeBytes { unsafe space.view.write($0, at: address) })
  }

  private func read(_ space: DMASpace, at address: UInt64, count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // SAFETY: the space is the caller's; the buffer is used within the call only.
    #expect(unsafe bytes.withUnsafeMutableBytes { unsafe space.view.read(at: address, into: $0) })
    return bytes
  }

  @Test func bufferInAReadOnlyPieceIsReadAndNotWritten() throws {
    let machine = try TestMachine(EchoDevice())
    let piece = try addPiece(to: machine, .read)
    let (place, buffer) = (piece.window.start.rawValue + 8, machine.windowStart + 0x1000)
    write([1, 2], to: piece, at: place)
    var queue = start(machine)

    queue.writeChain([.init(place, 2, isWritable: false), .init(buffer, 2, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)
    #expect(machine.bytes(at: buffer, count: 2) == [1, 2])

    queue.writeChain([.init(buffer, 2, isWritable: false), .init(place, 2, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)
    #expect(machine.faults == [.descriptorReadOnly])
    #expect(machine.driver.status & Status.deviceNeedsReset != 0)
    #expect(machine.transport.connection.counters.memory.refusedAccesses == 1)
    #expect(read(piece, at: place, count: 2) == [1, 2])
  }

  @Test func bufferInAWriteOnlyPieceIsNotRead() throws {
    let machine = try TestMachine(EchoDevice())
    let piece = try addPiece(to: machine, .write)
    var queue = start(machine)

    queue.writeChain([.init(piece.window.start.rawValue, 2, isWritable: false)])
    queue.offer(0)
    machine.driver.notify(0)

    #expect(machine.faults == [.descriptorWriteOnly])
  }

  @Test func bufferAcrossTwoPiecesIsSeveralSegments() throws {
    let machine = try TestMachine(EchoDevice())
    let piece = try addPiece(to: machine, .readWrite)
    let border = piece.window.start.rawValue
    machine.store([1, 2], at: border - 2)
    write([3, 4], to: piece, at: border)
    var queue = start(machine)

    queue.writeChain([.init(border - 2, 4, isWritable: false), .init(border - 3, 4, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)

    #expect(queue.takeUsed() == Queue.Used(head: 0, written: 4))
    #expect(machine.bytes(at: border - 3, count: 3) == [1, 2, 3])
    #expect(read(piece, at: border, count: 2) == [4, 4])
    #expect(machine.transport.connection.counters.memory.largestChain == 4)
    #expect(machine.faults == [])
  }

  @Test func bufferThatRunsOutOfTheLastPieceIsRefusedAndCountedOnce() throws {
    let machine = try TestMachine(EchoDevice())
    let piece = try addPiece(to: machine, .readWrite)
    var queue = start(machine)

    queue.writeChain([.init(piece.window.start.rawValue - 8, UInt32(Self.page) + 9, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)

    #expect(machine.faults == [.descriptorCrossesWindowEnd])
    #expect(machine.transport.connection.counters.memory.refusedAccesses == 1)
  }

  /// A device behind a translation: rings where they are, buffers at page 0x100 on, in pages that are nowhere side by
  /// side.
  private func scattered(pages: UInt64) throws -> (TestMachine, TestTranslation, Queue) {
    let translation = TestTranslation()
    let machine = try TestMachine(EchoDevice(), windowSize: 0x200_0000, translation: translation)
    translation.mapIdentity(machine.windowStart, size: 0x1_0000)
    for page in 0..<pages {
      translation.map(0x100 + page, to: machine.windowStart + 0x1_0000 + 2 * page * Self.page)
    }
    return (machine, translation, start(machine))
  }

  @Test func chainOfAsManyBuffersAsItMayHaveIsTakenThoughEachIsInTwoPieces() throws {
    var (machine, _, queue) = try scattered(pages: 32)
    let buffers = (0..<16).map { number in
      Queue.Buffer((0x100 + 2 * UInt64(number) + 1) * Self.page - 1, 2, isWritable: number >= 8)
    }
    // The last byte of a page that is even, the first of one that is odd.
    let places: [UInt64] = (0..<32).map { (page: UInt64) -> UInt64 in
      let start = machine.windowStart + 0x1_0000 + 2 * page * Self.page
      return page % 2 == 0 ? start + Self.page - 1 : start
    }
    for (number, place) in places.prefix(16).enumerated() { machine.store([UInt8(number)], at: place) }

    queue.writeChain(buffers)
    queue.offer(0)
    machine.driver.notify(0)

    #expect(queue.takeUsed() == Queue.Used(head: 0, written: 16))
    #expect(machine.transport.connection.counters.memory.largestChain == 32)
    let echoed: [UInt8] = places.suffix(16).map { place in machine.load8(place) }
    #expect(echoed == Array(0..<16))
    #expect(machine.faults == [])
  }

  @Test func bufferInMorePiecesThanADeviceTakesIsRefused() throws {
    var (machine, _, queue) = try scattered(pages: 1100)
    let most = UInt32(DescriptorChain.segmentMaximum) * UInt32(Self.page)

    queue.writeChain([.init(0x100 * Self.page, most, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)
    #expect(queue.takeUsed() == Queue.Used(head: 0, written: 0))
    #expect(machine.faults == [])

    queue.writeChain([.init(0x100 * Self.page, most + 1, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)
    #expect(machine.faults == [.tooManyPieces])
  }

  @Test func bufferThatTheTranslationDeniesIsRefused() throws {
    var (machine, translation, queue) = try scattered(pages: 2)
    translation.map(0x101, to: machine.windowStart + 0x2_0000, .read)

    queue.writeChain([.init(0x101 * Self.page - 4, 8, isWritable: true)])
    queue.offer(0)
    machine.driver.notify(0)

    #expect(machine.faults == [.descriptorReadOnly])
  }
}
