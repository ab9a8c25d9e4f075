import Foundation
import Glibc
import Host
import Logging
import TestSupport
import Testing
import Virtio
import VirtioDevices

@testable import HostBackends

/// Has a port take a text.
private func take(_ text: String, _ port: HostPort) -> Int {
  let bytes = Array(text.utf8)
  // SAFETY: the bytes hold for the call.
  return unsafe bytes.withUnsafeBytes { unsafe port.take($0) }
}

/// Has a port give what it has, up to a limit.
private func give(_ port: HostPort, limit: Int = 4096) -> String {
  var bytes = [UInt8](repeating: 0, count: limit)
  // SAFETY: the buffer holds for the call.
  let count = unsafe bytes.withUnsafeMutableBytes { unsafe port.give(into: $0) }
  return String(decoding: bytes[..<count], as: UTF8.self)
}

@Suite struct ExitStatusPortTests {
  @Test(
    arguments: [
      (["0"], 0), (["7\n"], 7), (["25", "5\n"], 255), (["007"], 7), (["256"], nil), (["-1"], nil), (["+1"], nil),
      (["1\n2\n"], nil), (["\n"], nil), ([" 1"], nil), (["1\r\n"], nil), (["0000"], nil), (["x"], nil),
      ([String(repeating: "1", count: 1000)], nil), (["١"], nil),
    ] as [([String], Int32?)]
  )
  func decimalTextUpTo255IsAStatus(pieces: [String], status: Int32?) {
    let port = ExitStatusPort()
    #expect(!port.isWritten)

    for piece in pieces { #expect(take(piece, port) == piece.utf8.count) }

    #expect(port.isWritten)
    #expect(port.status == status)
  }

  @Test func aGuestThatOpensThePortAgainSaysItsStatusAnew() {
    let port = ExitStatusPort()
    port.guestChanged(isOpen: true)
    #expect(take("7", port) == 1)
    port.guestChanged(isOpen: false)
    #expect(port.status == 7)

    port.guestChanged(isOpen: true)
    #expect(take("8\n", port) == 2)

    #expect(port.status == 8)
  }
}

@Suite struct ConsolePortsStateTests {
  private func ports() throws -> ConsolePorts {
    try ConsolePorts(
      name: "console0",
      carriesConsole: true,
      endpoints: [],
      loop: try EventLoop(),
      logger: Logger(label: "test")
    )
  }

  @Test func whatIsOnItsWayAndTheExitStatusGoOnInOtherPortsOnce() throws {
    let first = try ports()
    let console = try #require(first.console)
    #expect(take("out", console) == 3)
    console.receive(Array("in".utf8)[...])
    #expect(take("7", first.exitStatus) == 1)
    let coded = try JSONEncoder().encode(Versioned(first.savedState))

    let second = try ports()
    let other = try #require(second.console)
    other.receive(Array("+".utf8)[...])
    try second.restore(JSONDecoder().decode(Versioned<ConsolePortsState>.self, from: coded).state)
    // The device tells its ports that their guest has them open.
    other.guestChanged(isOpen: true)
    second.exitStatus.guestChanged(isOpen: true)
    second.restored()

    #expect(String(decoding: other.takeOutput(limit: 100), as: UTF8.self) == "out")
    #expect(other.takeOutput(limit: 100) == [])
    #expect(give(other) == "in+")
    #expect(take("\n", second.exitStatus) == 1)
    #expect(second.exitStatus.status == 7)
  }

  @Test func stateWithMoreThanPortsKeepIsRefused() throws {
    let first = try ports()
    var state = first.savedState
    state.output = [UInt8](repeating: 0, count: 65 << 10)

    #expect(throws: DeviceStateError.invalid(device: "console0", field: "console")) { try first.restore(state) }
  }
}

@Suite struct VirtioConsolePortTests {
  private let port: VirtioConsolePort

  init() throws {
    port = VirtioConsolePort(timer: SharedTimer(try HostTimer()), room: SharedEventDescriptor(try EventDescriptor()))
  }

  @Test func outputWaitsForRoomAndTheGuestIsToldOnceThereIs() {
    var calls = 0
    port.becameWritable = { calls += 1 }
    let text = String(repeating: "x", count: 20_000)

    let first = take(text, port)
    #expect(first == 16 << 10)
    #expect(isReadable(port.outputDescriptor, within: 10_000))
    #expect(port.takeOutput(limit: 100).count == 100)
    #expect(port.takeOutput(limit: 100).count == 100)

    #expect(calls == 1)
  }

  @Test func inputIsKeptUntilTheGuestHasOpenedItsConsole() {
    port.receive(Array("early".utf8)[...])
    #expect(give(port) == "")

    port.guestChanged(isOpen: true)

    #expect(isReadable(port.inputRoomDescriptor, within: 10_000))
    #expect(give(port, limit: 3) == "ear")
    #expect(give(port) == "ly")
  }

  @Test func aSourceThatFoundNoRoomHearsOfIt() {
    port.guestChanged(isOpen: true)
    port.answerInputRoom()
    while port.inputSpace() > 0 { port.receive([1]) }
    #expect(!isReadable(port.inputRoomDescriptor, within: 0))

    _ = give(port, limit: 600)

    #expect(isReadable(port.inputRoomDescriptor, within: 10_000))
  }
}

/// A port to one end of a pair of sockets, in a loop that runs until nothing is left to do.
@Suite(.timeLimit(.minutes(10))) struct ChannelPortTests {
  private let loop: EventLoop
  private let port: ChannelPort
  private let peer: OwnedPeer

  /// The other end.
  private final class OwnedPeer {
    var descriptor: Int32

    init(_ descriptor: Int32) {
      self.descriptor = descriptor
    }

    deinit {
      shut()
    }

    func shut() {
      if descriptor >= 0 { close(descriptor) }
      descriptor = -1
    }

    func send(_ text: String) {
      let bytes = Array(text.utf8)
      // SAFETY: the buffer holds for the call and its size goes along.
      _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// What has come.
    func receive() -> Int {
      var bytes = [UInt8](repeating: 0, count: 1 << 20)
      var total = 0
      while true {
        // SAFETY: the buffer holds for the call and its size goes along.
        let count = unsafe recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { return total }
        total += count
      }
    }
  }

  init() throws {
    loop = try EventLoop()
    var numbers: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    // Closed on exec: other tests start programs meanwhile, which must not keep the other end open.
    // SAFETY: the buffer has room for two.
    _ = unsafe socketpair(AF_UNIX, kind, 0, &numbers)
    peer = OwnedPeer(numbers[0])
    let endpoint = try PortEndpoint(name: "test", .descriptor(numbers[1]), files: RunFiles())
    close(numbers[1])
    port = try ChannelPort(endpoint, loop: loop, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Runs the loop for a moment.
  private func settle() throws {
    let timer = SharedTimer(try HostTimer())
    timer.value.arm(after: 20_000_000)
    _ = try loop.add(timer.value.rawValue, EventLoop.readable, ClosureHandler { [loop] _ in loop.stop() })
    try loop.run()
    loop.remove(timer.value.rawValue)
  }

  @Test func aPeerThatDoesNotReadStallsThePortUntilItReads() throws {
    var calls = 0
    port.becameWritable = { calls += 1 }
    let chunk = String(repeating: "x", count: 65_536)
    var taken = 0
    while case let count = take(chunk, port), count > 0 { taken += count }
    try settle()
    #expect(calls == 0)
    #expect(port.wantsRoom)

    let received = peer.receive()
    try settle()

    #expect(received == taken)
    #expect(calls == 1)
    port.disconnect()
  }

  @Test func whatTheDriversResetFindsNoRoomForIsWrittenLater() throws {
    let chunk = String(repeating: "x", count: 65_536)
    var taken = 0
    while case let count = take(chunk, port), count > 0 { taken += count }
    let last = Array(String(repeating: "y", count: 100_000).utf8)
    // SAFETY: the bytes hold for the call.
    unsafe last.withUnsafeBytes { unsafe port.takeLast($0) }

    let first = peer.receive()
    try settle()
    let second = peer.receive()

    #expect(first == taken)
    #expect(second == last.count)
    #expect(!port.wantsRoom)
    port.disconnect()
  }

  @Test func whatAPeerSentBeforeItWentIsReadAlthoughItTakesNothingAnyMore() throws {
    var changes: [Bool] = []
    var received = ""
    port.connectionChanged = { changes.append($0) }
    port.becameReadable = {}
    port.guestChanged(isOpen: true)
    peer.send(String(repeating: "x", count: 10_000))
    try settle()
    received += give(port)
    peer.shut()

    #expect(take("answer", port) == 6)
    try settle()
    #expect(changes.isEmpty)
    while case let text = give(port), !text.isEmpty { received += text }
    try settle()

    #expect(received.utf8.count == 10_000)
    #expect(changes == [false])
    port.disconnect()
  }

  @Test func whatAPeerSentBeforeItWentWaitsForAGuestThatOpensThePortLater() throws {
    var changes: [Bool] = []
    var received = ""
    port.connectionChanged = { changes.append($0) }
    port.becameReadable = { [unowned port] in
      while case let text = give(port), !text.isEmpty { received += text }
    }
    peer.send("early")
    peer.shut()
    try settle()
    #expect(changes.isEmpty)

    port.guestChanged(isOpen: true)
    try settle()

    #expect(received == "early")
    #expect(changes == [false])
    port.disconnect()
  }

  @Test func aPeerThatTakesNothingAnyMoreStillSends() throws {
    var changes: [Bool] = []
    var received = ""
    port.connectionChanged = { changes.append($0) }
    port.becameReadable = { [unowned port] in
      while case let text = give(port), !text.isEmpty { received += text }
    }
    port.guestChanged(isOpen: true)
    shutdown(peer.descriptor, Int32(SHUT_RD))
    #expect(take("lost", port) == 4)
    try settle()

    peer.send("late")
    try settle()

    #expect(received == "late")
    #expect(changes.isEmpty)
    port.disconnect()
  }

  @Test func inputIsReadWhenTheGuestListensAndTheEndClosesThePort() throws {
    var changes: [Bool] = []
    var received = ""
    port.connectionChanged = { changes.append($0) }
    port.becameReadable = { [unowned port] in
      while case let text = give(port), !text.isEmpty { received += text }
    }
    peer.send("early ")
    try settle()
    #expect(received == "")

    port.guestChanged(isOpen: true)
    try settle()
    peer.send("late")
    try settle()
    #expect(received == "early late")
    #expect(changes.isEmpty)
    peer.shut()
    try settle()

    #expect(changes == [false])
    #expect(!port.isConnected)
    #expect(take("lost", port) == 4)
    port.disconnect()
  }
}

@Suite(.timeLimit(.minutes(10))) struct PortEndpointTests {
  @Test func aSocketThatAKilledMachineLeftIsReplacedAndALiveOneIsNot() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("socket")
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // SAFETY: a temporary path is shorter than the field, which is a part of the structure.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
      for (index, byte) in (folder.path("socket")).utf8.enumerated() { unsafe field[index] = byte }
    }
    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    // SAFETY: the structure holds for the call and its size goes along.
    let bound = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    close(number)
    #expect(bound == 0)

    let first = try PortEndpoint(name: "a", .socket(path: path), files: RunFiles())
    let second = #expect(throws: PortEndpoint.OpenFailure.self) {
      _ = try PortEndpoint(name: "a", .socket(path: path), files: RunFiles())
    }

    #expect(first.waitingListener != nil)
    #expect(second?.kind == .cannotCreate)
    // The one that listens saw nothing of the second's look at it.
    #expect(ListeningSocket.problem(path: path)?.description.contains("something else is there") == true)
    #expect(first.accept() == EAGAIN)
  }

  @Test func aSocketWhoseNameAnotherHasTakenStaysAsItIs() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("socket")
    do {
      let endpoint = try PortEndpoint(name: "a", .socket(path: path), files: RunFiles())
      // SAFETY: the path holds for the call.
      try #require(unsafe unlink(path) == 0)
      try folder.write("socket", [1, 2, 3])
      _ = endpoint.isSocket
    }

    #expect(folder.read("socket") == [1, 2, 3])
  }

  @Test(arguments: ["missing/socket", "file", "file/socket"])
  func aSocketThatCannotBeMadeIsKnownBeforeItIs(name: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("file", [1])
    let path = folder.path(name)

    let problem = ListeningSocket.problem(path: path)
    let failure = #expect(throws: PortEndpoint.OpenFailure.self) {
      _ = try PortEndpoint(name: "a", .socket(path: path), files: RunFiles())
    }

    #expect(problem != nil && problem?.description == failure?.description)
    #expect(ListeningSocket.problem(path: folder.path("new")) == nil)
    #expect(try folder.names == ["file"])
  }

  @Test func aPipeWithoutAReaderIsRefusedAtOnceAndOneWithAReaderIsNot() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("pipe")
    // SAFETY: the path holds for the calls.
    #expect(unsafe mkfifo(path, 0o600) == 0)

    let failure = #expect(throws: PortEndpoint.OpenFailure.self) {
      _ = try PortEndpoint(name: "a", .file(path: path), files: RunFiles())
    }
    let reader = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    defer { close(reader) }
    let endpoint = try PortEndpoint(name: "a", .file(path: path), files: RunFiles())

    #expect(failure?.kind == .cannotCreate)
    #expect(failure?.description.contains("start the pipe's reader first") == true)
    #expect(endpoint.canWrite)
  }

  @Test func aFileIsEmptiedAndADescriptorThatIsNotOpenIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("log", [1, 2, 3])
    let files = RunFiles()
    let endpoint = try PortEndpoint(name: "a", .file(path: path), files: files)

    let failure = #expect(throws: PortEndpoint.OpenFailure.self) {
      _ = try PortEndpoint(name: "b", .descriptor(1000), files: files)
    }

    #expect(endpoint.canWrite)
    #expect(!endpoint.canRead)
    #expect(failure?.kind == .hostFailure)
    #expect(folder.read("log") == [])
  }

  @Test(arguments: [false, true])
  func aFileThatWasMadeStaysOnlyIfTheMachineStarts(starts: Bool) throws {
    let folder = try TemporaryFolder()
    let old = try folder.write("old", [1, 2, 3])

    do {
      let files = RunFiles()
      _ = try PortEndpoint(name: "a", .file(path: folder.path("new")), files: files)
      _ = try PortEndpoint(name: "b", .file(path: old), files: files)
      if starts { files.keep() }
    }

    #expect(try folder.names == (starts ? ["new", "old"] : ["old"]))
  }
}
