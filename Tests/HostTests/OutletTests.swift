import CHost
import Glibc
import Host
import Synchronization
import TestSupport
import Testing

/// Both ends of something that one may stop reading.
private final class Stalled {
  /// What kind it is.
  enum Kind: CaseIterable {
    case pipe
    case fifo
    case terminal
    case socket
  }

  let reading: Int32
  let writing: Int32

  init(_ kind: Kind, _ folder: TemporaryFolder) throws {
    var ends: [Int32] = [-1, -1]
    switch kind {
    case .pipe:
      // SAFETY: the array has room for two; so below.
      try #require(unsafe Glibc.pipe(&ends) == 0)
    case .socket:
      try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    case .fifo:
      // SAFETY: the path holds for the calls.
      try #require(unsafe mkfifo(folder.path("fifo"), 0o600) == 0)
      ends[0] = unsafe open(folder.path("fifo"), O_RDONLY | O_NONBLOCK)
      ends[1] = unsafe open(folder.path("fifo"), O_WRONLY)
    case .terminal:
      var name = [CChar](repeating: 0, count: 128)
      // SAFETY: the buffer holds for the calls and its size goes along.
      ends[0] = unsafe chost_pseudo_terminal_open(&name, name.count)
      ends[1] = unsafe open(&name, O_RDWR | O_NOCTTY)
    }
    (reading, writing) = (ends[0], ends[1])
    try #require(reading >= 0 && writing >= 0)
  }

  deinit {
    close(reading)
    close(writing)
  }

  /// Reads until so many bytes have come.
  func read(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count < count, chost_wait(reading, Int16(POLLIN), 10_000) {
      // SAFETY: the buffer holds for the call and its size goes along.
      let got = unsafe Glibc.read(reading, &chunk, min(chunk.count, count - bytes.count))
      if got <= 0 { break }
      bytes += chunk[..<got]
    }
    return bytes
  }
}

private func offer(_ bytes: [UInt8], _ outlet: Outlet) -> Int {
  // SAFETY: the bytes hold for the call.
  unsafe bytes.withUnsafeBytes { unsafe outlet.offer($0) }
}

@Suite(.timeLimit(.minutes(10))) struct OutletTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test(arguments: Stalled.Kind.allCases)
  fileprivate func aReaderThatStopsFillsTheOutputAndNobodyWaits(kind: Stalled.Kind) throws {
    let stalled = try Stalled(kind, folder)
    let outlet = try Outlet(sharing: stalled.writing)
    let chunk = [UInt8](repeating: 0x61, count: 4096)

    var taken = 0
    var refusals = 0
    while refusals < 20, taken < 16 << 20 {
      let result = offer(chunk, outlet)
      if result > 0 {
        taken += result
      } else {
        #expect(result == -Int(EAGAIN))
        refusals += 1
      }
    }

    #expect(refusals == 20)
    // The description that others share is as it was.
    #expect(fcntl(stalled.writing, F_GETFL) & O_NONBLOCK == 0)
    #expect(stalled.read(taken) == [UInt8](repeating: 0x61, count: taken))
    outlet.room.wait(milliseconds: 10_000)
    outlet.answerRoom()
    #expect(offer([0x62], outlet) == 1)
    #expect(stalled.read(1) == [0x62])
    outlet.close()
  }

  @Test func anOutputThatMayWaitIsWrittenByAThreadInOrder() throws {
    let path = try folder.write("file", [])
    // SAFETY: the path holds for the call.
    let descriptor = OwnedDescriptor(owning: unsafe open(path, O_WRONLY | O_NONBLOCK))
    let outlet = Outlet(owning: descriptor, capacity: 8192)
    let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

    var rest = bytes[...]
    while !rest.isEmpty {
      let result = offer(Array(rest.prefix(5000)), outlet)
      if result == -Int(EAGAIN) {
        outlet.room.wait(milliseconds: 10_000)
        outlet.answerRoom()
      } else {
        try #require(result > 0)
        rest = rest.dropFirst(result)
      }
    }
    let isWhole = outlet.finish(by: HostClock.monotonic + 10_000_000_000)

    #expect(isWhole)
    #expect(folder.read("file") == bytes)
    outlet.close()
  }

  @Test func whoWaitsForAnIdleOutputIsCalledAsOftenAsOneLikesWithoutMoreStack() throws {
    let stalled = try Stalled(.pipe, folder)
    let outlet = try Outlet(sharing: stalled.writing)
    let calls = Atomic(0)
    outlet.whenIdle { calls.add(1, ordering: .relaxed) }

    let chunk = [UInt8](repeating: 0x61, count: 16 << 10)

    // Some hundred bytes more with each call would be too much for the writing thread.
    let count = Effort.cases(4000)
    for _ in 0..<count {
      // What the pipe takes, and something for the thread.
      var written = 0
      while outlet.pending == 0 {
        try #require(outlet.append(chunk))
        written += chunk.count
      }
      try #require(stalled.read(written).count == written)
      try #require(outlet.finish(by: HostClock.monotonic + 10_000_000_000))
    }

    #expect(calls.load(ordering: .relaxed) > 0)
    outlet.close()
  }

  @Test func anOutputThatHasGoneIsAnErrorOfWhatComesNext() throws {
    var ends: [Int32] = [-1, -1]
    // SAFETY: the array has room for two.
    try #require(unsafe Glibc.pipe(&ends) == 0)
    _ = signal(SIGPIPE, SIG_IGN)
    let outlet = try Outlet(sharing: ends[1])
    close(ends[0])

    #expect(offer([1], outlet) == -Int(EPIPE))
    close(ends[1])
  }

  @Test(arguments: Stalled.Kind.allCases)
  fileprivate func linesThatFindNoRoomAreCountedAndToldWhereTheyAreMissing(kind: Stalled.Kind) throws {
    let stalled = try Stalled(kind, folder)
    let queue = LineQueue(try Outlet(sharing: stalled.writing, capacity: 8192)) { Array("<\($0)>\n".utf8) }
    let line = Array((String(repeating: "x", count: 99) + "\n").utf8)

    var kept = 0
    for _ in 0..<20_000 where queue.append(line) { kept += 1 }
    let isFinished = queue.finish(by: HostClock.monotonic + 1_000_000)

    #expect(!isFinished)
    #expect(kept + queue.droppedCount == 20_000)
    #expect(queue.droppedCount > 0)
    var text = String(decoding: stalled.read(100 * kept), as: UTF8.self)
    // What takes its time to be full has room now and then, and what was dropped until then is told before what
    // follows.
    var told: [Int] { text.split(separator: "\n").compactMap { $0.last == ">" ? Int($0.dropFirst().dropLast()) : nil } }
    while told.reduce(0, +) < queue.droppedCount {
      let more = stalled.read(1)
      try #require(!more.isEmpty)
      text += String(decoding: more, as: UTF8.self)
    }
    #expect(told.reduce(0, +) == queue.droppedCount)
    #expect(text.hasSuffix("x\n<\(told.last ?? 0)>"))
    #expect(text.split(separator: "\n").count { $0.hasPrefix("x") } == kept)
    queue.close()
  }
}
