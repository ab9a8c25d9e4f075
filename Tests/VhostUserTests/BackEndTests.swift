import CHost
import Glibc
import GuestMemory
import Testing
import VhostUserTesting
import VirtioDriver

@testable import VhostUser

@Suite struct BackEndTests {
  @Test func aFrontEndIsOfferedWhatTheDeviceHasAndNothingForbidden() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path)

    let features = [28, 29, 30, 32].reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
    #expect(try front.number(.getFeatures) == features)
    let protocolFeatures = [0, 3, 5, 9, 13, 15].reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
    #expect(try front.number(.getProtocolFeatures) == protocolFeatures)
    #expect(try front.number(.getQueueNum) == 2)
  }

  @Test func aRequestIsAnsweredAndTheIndexToldAtTheEnd() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path, isReady: true)
    var queue = front.queue(0, size: 1024)
    try front.start(queue)

    #expect(try front.request([1, 2, 3], &queue) == [3, 2, 1])
    #expect(try front.request(Array(1...50), &queue) == (1...50).reversed())
    #expect(try front.stop(0) == 2)
  }

  @Test func requestsThatWereAvailableBeforeTheStartAreAnsweredWithoutANotification() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path, isReady: true)
    var queue = front.queue(1)
    let answer = FrontEnd.start + 0x9_0000
    queue.writeChain([.init(answer, 8, isWritable: true)])
    queue.offer(0)

    try front.start(queue)
    try front.waitForCall(1)

    #expect(queue.takeUsed() == .init(head: 0, written: 1))
  }

  @Test func eventIndicesAreKept() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path)
    try front.negotiate(0x1_6000_0000)
    try front.showMemory()
    var queue = front.queue(0)
    try front.start(queue)

    _ = try front.request([1], &queue)
    #expect(front.says { queue.availableEvent == 1 })
  }

  @Test func ringsThatComeBackAsTheyWereGoOnAndOthersBeginAnew() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path, isReady: true)
    var (first, second) = (front.queue(0), front.queue(1))
    try front.start(first)
    try front.start(second)
    #expect(try front.request([0xFF], &first) == [1])
    #expect(try front.request([0xFF], &second) == [1])

    // A machine that stands for a while.
    #expect(try front.stop(0) == 1)
    #expect(try front.stop(1) == 1)
    try front.showMemory()
    try front.start(first, base: 1)
    try front.start(second, base: 1)
    #expect(try front.request([0xFF], &first) == [1])
    #expect(try front.request([0xFF], &second) == [1])

    // A driver that starts anew, with one queue.
    _ = try front.stop(0)
    _ = try front.stop(1)
    first = front.queue(0)
    try front.start(first)
    #expect(try front.request([0xFF], &first) == [2])
  }

  @Test func theDeviceGoesOnWithoutARingThatStaysAway() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path, isReady: true)
    var (first, second) = (front.queue(0), front.queue(1))
    try front.start(first)
    try front.start(second)
    _ = try front.request([0xFF], &second)

    #expect(try front.stop(0) == 0)
    #expect(try front.request([0xFF], &second) == [1])
    // It was taken away, and comes anew.
    first = front.queue(0)
    try front.start(first)
    #expect(try front.request([0xFF], &first) == [1])
  }

  @Test func memoryComesAndGoesUnderRunningRings() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path, isReady: true)
    var queue = front.queue(0)
    try front.start(queue)
    let more = [0x8000_0000, FrontEnd.size, 0x7100_0000_0000, 0] as [UInt64]

    #expect(try front.acknowledged(.addMemReg, FrontEnd.numbers(0) + numbers(more), [front.file]) == 0)
    #expect(try front.request([1, 2], &queue) == [2, 1])
    #expect(
      try front.acknowledged(.setMemTable, FrontEnd.table([more, FrontEnd.region]), [front.file, front.file]) == 0
    )
    #expect(try front.request([1, 2], &queue) == [2, 1])
    #expect(try front.acknowledged(.remMemReg, FrontEnd.numbers(0) + numbers(more)) == 0)
    #expect(try front.request([1, 2], &queue) == [2, 1])
    #expect(try front.number(.getMaxMemSlots) == 32)
    // Now the rings' own.
    #expect(try front.acknowledged(.remMemReg, FrontEnd.numbers(0) + numbers(FrontEnd.region)) == 0)
    #expect(server.says("was taken out of the device's reach"))
    #expect(try front.stop(0) != nil)
  }

  private func numbers(_ values: [UInt64]) -> [UInt8] { FrontEnd.table([values]).suffix(32) }

  @Test func theConfigurationSpaceIsReadAndWhatIsNotThereIsEmpty() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path)
    try front.negotiate()
    func ask(_ offset: UInt8, _ count: UInt8) throws -> [UInt8] {
      let space = [UInt8](repeating: 0, count: Int(count))
      return try front.ask(.getConfig, [offset, 0, 0, 0, count, 0, 0, 0, 0, 0, 0, 0] + space)
    }

    #expect(try ask(2, 4).suffix(4) == [3, 4, 5, 6])
    #expect(try ask(5, 4) == [])
    #expect(try front.acknowledged(.setConfig, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9]) == 0)
    #expect(server.says("a read-only configuration field was written"))
    #expect(try ask(0, 1).suffix(1) == [1])
  }

  @Test func resetDeviceStopsAllRings() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path, isReady: true)
    var queue = front.queue(0)
    try front.start(queue)
    _ = try front.request([0xFF], &queue)

    #expect(try front.acknowledged(.resetDevice, []) == 0)
    queue = front.queue(0)
    try front.start(queue)

    #expect(try front.request([0xFF], &queue) == [2])
  }

  @Test func aFrontEndWaitsUntilTheOneBeforeItHasGone() throws {
    let server = try RunningServer()
    var first: FrontEnd? = try FrontEnd(server.path)
    try first?.negotiate()
    let second = try FrontEnd(server.path)
    try second.send(.getFeatures)
    chost_pause(50)
    #expect(try second.socket.receive() == nil)

    first = nil

    #expect(try second.socket.receive("features", by: .max).isReply)
    #expect(server.says("the front-end has gone"))
  }

  @Test func theFuzzTargetsSeedsRun() throws {
    for seed in ExerciseVhostUser.seeds { ExerciseVhostUser.run(seed) }
  }
}

extension FrontEnd {
  /// Whether something becomes true.
  func says(_ isTrue: () -> Bool) -> Bool {
    for _ in 0..<2000 {
      if isTrue() { return true }
      chost_pause(5)
    }
    return false
  }
}
