import CHost
import Glibc
import GuestMemory
import Host
import TestSupport
import Testing
import VirtioDriver

@testable import VhostUser

/// What a hostile front-end may send to a server (the 18th of what is to be proven): each is told, ends its own
/// conversation, and the next front-end is served.
@Suite("Case 18: a hostile front-end") struct HostileFrontEndTests {
  struct Attempt: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// What the log says of it.
    let words: String
    let send: @Sendable (FrontEnd) throws -> Void

    init(_ name: String, _ words: String, _ send: @escaping @Sendable (FrontEnd) throws -> Void) {
      testDescription = name
      self.words = words
      self.send = send
    }

    static func table(_ name: String, _ words: String, _ regions: [[UInt64]], count: UInt32? = nil) -> Attempt {
      Attempt(name, words) { front in
        let files = [VhostUserDescriptor](repeating: front.file, count: min(8, regions.count))
        try front.send(.setMemTable, FrontEnd.table(regions, count: count), files)
      }
    }

    static func ring(_ name: String, _ words: String, _ change: @escaping @Sendable (FrontEnd) throws -> Void)
      -> Attempt
    {
      Attempt(name, words) { front in
        try front.showMemory()
        try change(front)
      }
    }
  }

  private static let half = FrontEnd.size / 2
  private static let (start, user, size) = (FrontEnd.start, FrontEnd.userStart, FrontEnd.size)

  static let memory: [Attempt] = [
    .table(
      "guest addresses that overlap",
      "that overlap",
      [[start, half, user, 0], [start + half / 2, half, user + size, 0]]
    ),
    .table(
      "user addresses that overlap",
      "that overlap",
      [[start, half, user, 0], [start + size, half, user + half / 2, 0]]
    ),
    .table("a region twice", "that overlap", [FrontEnd.region, FrontEnd.region]),
    .table("guest addresses that overflow", "beyond the last address", [[0xFFFF_FFFF_FFFF_0000, size, user, 0]]),
    .table("user addresses that overflow", "beyond the last address", [[start, size, 0xFFFF_FFFF_FFFF_0000, 0]]),
    .table("an offset that overflows", "should have", [[start, size, user, 0xFFFF_FFFF_FFFF_0000]]),
    .table("all there is", "beyond the last address", [[0, .max, 0, 0]]),
    .table("a file that is too short", "should have", [[start, 2 * size, user, 0]]),
    .table("an offset behind the end", "should have", [[start, size, user, size]]),
    .table("no bytes", "of no bytes", [[start, 0, user, 0]]),
    .table("an odd place", "begin at a page", [[start + 1, half, user, 0]]),
    .table("an odd offset", "begin at a page", [[start, half, user, 8]]),
    .table("10⁶ regions", "a table of 1000000 memory regions", [FrontEnd.region], count: 1_000_000),
    .table("2³² − 1 regions", "a table of 4294967295 memory regions", [], count: .max),
    .table("more regions than there are", "a table of 2 memory regions", [FrontEnd.region], count: 2),
    .table("fewer regions than there are", "a table of 0 memory regions", [FrontEnd.region], count: 0),
    Attempt("a region without a file", "and 0 files") { try $0.send(.setMemTable, FrontEnd.table([FrontEnd.region])) },
    Attempt("an eventfd for memory", "should have") { front in
      try front.send(.setMemTable, FrontEnd.table([FrontEnd.region]), [front.kicks[0]])
    },
    Attempt("a region to take that is not there", "not there") { front in
      try front.send(.remMemReg, FrontEnd.numbers(0) + FrontEnd.table([FrontEnd.region]).suffix(32))
    },
  ]

  @Test("ends its conversation with bad memory", arguments: memory)
  func badMemory(_ attempt: Attempt) throws { try check(attempt) }

  private static func start(_ front: FrontEnd, _ change: (inout DriverQueue<FrontEnd>) -> Void) throws {
    var queue = front.queue(0)
    change(&queue)
    try front.start(queue)
  }

  static let rings: [Attempt] = [
    .ring("a descriptor table outside", "outside") {
      try start($0) { $0.descriptorTable = FrontEnd.start + FrontEnd.size }
    },
    .ring("an available ring outside", "outside") { try start($0) { $0.driverArea = 0x100 } },
    .ring("a used ring beyond the end", "outside") {
      try start($0) { $0.deviceArea = FrontEnd.start + FrontEnd.size - 8 }
    },
    .ring("a used ring at the last address", "outside") { front in
      try start(front) { $0.deviceArea = UInt64.max &- FrontEnd.userStart &+ FrontEnd.start &- 3 }
    },
    .ring("rings that are not aligned", "aligned") { try start($0) { $0.descriptorTable += 8 } },
    .ring("a size of 0", "a size of 0") { try $0.send(.setVringNum, FrontEnd.state(0, 0)) },
    .ring("a size that is no power of two", "a size of 100") { try $0.send(.setVringNum, FrontEnd.state(0, 100)) },
    .ring("a size that is too large", "a size of 2048") { try $0.send(.setVringNum, FrontEnd.state(0, 2048)) },
    .ring("a base that is no index", "70000 as the base") { try $0.send(.setVringBase, FrontEnd.state(0, 70_000)) },
    .ring("a ring that there is not", "ring 2") { try $0.send(.setVringNum, FrontEnd.state(2, 64)) },
    .ring("the last ring of all", "ring 4294967295") { try $0.send(.setVringNum, [255, 255, 255, 255, 1, 0, 0, 0]) },
    .ring("a start without anything", "without its size") { front in
      try front.send(.setVringKick, FrontEnd.numbers(0), [front.kicks[0]])
      try front.send(.setVringEnable, FrontEnd.state(0, 1))
    },
    .ring("a file to be notified by", "an eventfd") { try $0.send(.setVringKick, FrontEnd.numbers(0), [$0.file]) },
    .ring("a file to be called", "an eventfd") { try $0.send(.setVringCall, FrontEnd.numbers(0), [$0.file]) },
    .ring("no descriptor where one is said", "with 0 descriptors") { try $0.send(.setVringCall, FrontEnd.numbers(0)) },
    .ring("a descriptor where none is said", "with 1 descriptors") { front in
      try front.send(.setVringCall, FrontEnd.numbers(0x100), [front.calls[0]])
    },
    .ring("a log", "a log") { try $0.send(.setVringAddr, FrontEnd.state(0, 1) + FrontEnd.numbers(0, 0, 0, 0)) },
    .ring("changes of a ring that runs", "which runs") { front in
      let queue = front.queue(0)
      try front.start(queue)
      try front.send(.setVringAddr, front.addresses(of: queue))
    },
    .ring("an enabling that is none", "cannot be") { try $0.send(.setVringEnable, FrontEnd.state(0, 2)) },
  ]

  @Test("ends its conversation with bad rings", arguments: rings)
  func badRings(_ attempt: Attempt) throws { try check(attempt) }

  static let messages: [Attempt] =
    [.setLogBase, .setLogFD, .sendRARP, .iotlbMsg, .postcopyAdvise, .getInflightFD, .setInflightFD, .vringKick]
    .map { request in Attempt("\(request)", "not offered") { try $0.send(request, FrontEnd.numbers(0)) } }
    + [
      Attempt("an unknown request", "unknown number") { try $0.socket.send(VhostUserMessage(request: 1000)) },
      Attempt("a reply to nothing", "a reply") { try $0.socket.send(VhostUserMessage(request: 1, flags: 5)) },
      Attempt("another version", "version 2") { try $0.socket.send(VhostUserMessage(request: 1, flags: 2)) },
      Attempt("a payload that is too long", "4097 bytes") { front in
        try front.socket.send(VhostUserMessage(.setOwner, [UInt8](repeating: 0, count: 4097)))
      },
      Attempt("features that were not offered", "not offered") { try $0.send(.setFeatures, FrontEnd.numbers(1 << 38)) },
      Attempt("protocol features that were not offered", "not offered") { front in
        try front.send(.setProtocolFeatures, FrontEnd.numbers(1 << 1))
      },
      Attempt("features of four bytes", "of 4 bytes") { try $0.send(.setFeatures, [0, 0, 0, 0]) },
      Attempt("a configuration of 4,000 bytes", "cannot be") { front in
        try front.send(.getConfig, [0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0])
      },
    ]

  private static let withoutPayload: [VhostUserRequest] = [
    .getFeatures, .setOwner, .getProtocolFeatures, .getQueueNum, .resetDevice, .getMaxMemSlots, .resetOwner,
  ]

  private static let withoutFile: [(request: VhostUserRequest, payload: [UInt8])] = [
    (.getFeatures, []), (.setOwner, []), (.setFeatures, FrontEnd.numbers(1 << 32)),
    (.setVringNum, FrontEnd.state(0, 64)), (.setVringBase, FrontEnd.state(0, 0)),
    (.setVringAddr, FrontEnd.state(0, 0) + FrontEnd.numbers(0, 0, 0, 0)), (.setVringEnable, FrontEnd.state(0, 1)),
    (.getVringBase, FrontEnd.state(0, 0)), (.setProtocolFeatures, FrontEnd.numbers(0)),
  ]

  /// What no front-end sends: a payload or files where none belong, and flags that there are not.
  static let forms: [Attempt] = {
    var forms: [Attempt] = []
    for request in withoutPayload {
      let attempt = Attempt("\(request) with a payload", "\(request) of 8 bytes") { front in
        try front.send(request, FrontEnd.numbers(0))
      }
      forms.append(attempt)
    }
    for (request, payload) in withoutFile {
      forms.append(Attempt("\(request) with a file", "where none belong") { try $0.send(request, payload, [$0.file]) })
    }
    for flags: UInt32 in [0xFFFF_FF01, 0x11] {
      let attempt = Attempt("flags \(flags)", "flags that there are not") { front in
        try front.socket.send(VhostUserMessage(request: 1, flags: flags))
      }
      forms.append(attempt)
    }
    return forms
  }()

  @Test("ends its conversation with messages of another form", arguments: forms)
  func badForms(_ attempt: Attempt) throws { try check(attempt) }

  @Test("ends its conversation with bad messages", arguments: messages)
  func badMessages(_ attempt: Attempt) throws { try check(attempt) }

  private func check(_ attempt: Attempt) throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path)
    try front.negotiate()

    try attempt.send(front)

    #expect(front.isSentAway())
    #expect(server.says(attempt.words))
    #expect(try server.serves())
  }

  @Test func hearsThatAMessageWasNotDoneWhereItWantsTo() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path)
    try front.negotiate()

    #expect(try front.acknowledged(.setVringNum, FrontEnd.state(0, 64)) == 0)
    #expect(try front.acknowledged(.setVringNum, FrontEnd.state(0, 65)) == 1)
    #expect(front.isSentAway())
  }

  @Test func showsNoMemoryAndNoRingIsFound() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path)
    try front.negotiate()
    #expect(try front.acknowledged(.setMemTable, FrontEnd.table([])) == 0)

    try front.start(front.queue(0))

    #expect(front.isSentAway())
    #expect(server.says("outside of the memory"))
  }

  @Test func shortensTheFileOfItsMemoryAndTheServerGoesOn() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path, isReady: true)
    var queue = front.queue(0)
    try front.start(queue)
    _ = try front.request([1], &queue)

    try #require(ftruncate(front.file.rawValue, 0) == 0)
    front.kick(0)

    #expect(front.isSentAway())
    #expect(server.says("has become shorter"))
    #expect(try server.serves())
  }

  @Test func goesAtEachMessageAndBeginsAnew() throws {
    let server = try RunningServer()
    for count in 0..<12 {
      let front = try FrontEnd(server.path)
      let queue = front.queue(0)
      let steps: [() throws -> Void] = [
        { try front.negotiate() }, { try front.showMemory() },
        { try front.send(.setVringNum, FrontEnd.state(0, 64)) },
        { try front.send(.setVringBase, FrontEnd.state(0, 0)) },
        { try front.send(.setVringAddr, front.addresses(of: queue)) },
        { try front.send(.setVringKick, FrontEnd.numbers(0), [front.kicks[0]]) },
        { try front.send(.setVringCall, FrontEnd.numbers(0), [front.calls[0]]) },
        { try front.send(.setVringEnable, FrontEnd.state(0, 1)) }, { front.kick(0) },
        { try front.send(.setVringEnable, FrontEnd.state(0, 0)) },
        { try front.send(.getVringBase, FrontEnd.state(0, 0)) },
      ]
      for step in steps.prefix(count) { try step() }
    }

    #expect(try server.serves())
  }

  @Test func connectsTwoThousandTimesAtOnce() throws {
    let server = try RunningServer()
    var peers: [VhostUserDescriptor] = []
    for _ in 0..<2000 {
      // SAFETY: the path holds for the call.
      let number = unsafe chost_socket_connect(server.path, 1)
      if number >= 0 { peers.append(VhostUserDescriptor(owning: number)) }
    }
    #expect(!peers.isEmpty)

    peers = []

    #expect(try server.serves())
  }

  @Test func sendsHalfAHeaderAndIsNotWaitedForLong() throws {
    let server = try RunningServer()
    let front = try FrontEnd(server.path)
    try front.negotiate()
    // SAFETY: the array holds for the call and its size goes along.
    try #require(unsafe write(front.socket.rawValue, [1, 0, 0, 0, 1, 0] as [UInt8], 6) == 6)
    let next = try FrontEnd(server.path)

    #expect(try next.number(.getFeatures) != 0)

    #expect(server.says("did not answer or finish a message in time"))
  }

  @Test func sendsDescriptorsThatNobodyWantsAndNoneIsLeft() throws {
    let server = try RunningServer()
    let before = openDescriptors()

    for _ in 0..<160 {
      let other = try FrontEnd(server.path)
      try other.send(.getFeatures, [], [VhostUserDescriptor](repeating: other.file, count: 8))
      #expect(other.isSentAway())
    }

    // Other tests open and close some meanwhile.
    #expect(openDescriptors() < before + 1000)
  }

  private func openDescriptors() -> Int {
    (0..<65_536).count { fcntl(Int32($0), F_GETFD) != -1 }
  }
}
