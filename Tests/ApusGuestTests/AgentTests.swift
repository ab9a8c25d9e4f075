import AgentProtocol
import CHost
import Glibc
import Host
import Synchronization
import TestLimits
import TestSupport
import Testing

@testable import ApusGuest

/// The agent itself, as a process of this host, and the connection to it.
@Suite("The guest's agent")
struct AgentTests {
  @Test("a program's output, error output and status arrive apart and in order")
  func command() throws {
    let agent = try LocalAgent()

    let result = try agent.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 7"])

    #expect(result.output == "out\n")
    #expect(result.errors == "err\n")
    #expect(result.end == .exited(status: 7))
  }

  @Test("a program that a signal ends says which, and one that is not there says why")
  func unusualEnds() throws {
    let agent = try LocalAgent()

    let killed = try agent.run(["sh", "-c", "kill -TERM $$"])
    let missing = try agent.run(["/nowhere/program"])
    let unnamed = try agent.run(["no-such-program"])
    let folder = try agent.run(["true"], folder: "/nowhere")

    #expect(killed.end == .killed(signal: SIGTERM))
    #expect(missing.end == .failed(errno: ENOENT))
    #expect(unnamed.end == .failed(errno: ENOENT))
    #expect(folder.end == .failed(errno: ENOENT, at: .folder))
  }

  @Test("a mebibyte goes in and comes out whole, also where nobody reads it")
  func input() throws {
    let agent = try LocalAgent()
    let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

    let copied = try agent.run(["cat"], input: bytes)
    let ignored = try agent.run(["true"], input: bytes)

    let isWhole = copied.outputBytes == bytes
    #expect(isWhole)
    #expect(copied.end == .exited(status: 0))
    #expect(ignored.end == .exited(status: 0))
  }

  @Test("forty programs run side by side, and none gets another's bytes")
  func sideBySide() throws {
    let agent = try LocalAgent()

    let waits = (0..<40).map { number in
      agent.begin(["sh", "-c", "read a; echo \(number)-$a; exit \(number)"], input: Array("word\(number)\n".utf8))
    }
    let results = try waits.map { try $0.result() }

    for (number, result) in results.enumerated() {
      #expect(result.output == "\(number)-word\(number)\n")
      #expect(result.end == .exited(status: Int32(number)))
    }
  }

  @Test("what a program says looks like the protocol and is output all the same")
  func fakeProtocol() throws {
    let agent = try LocalAgent()
    let frames = AgentFrame(stream: 1, kind: AgentFrame.Answer.exited.rawValue, payload: [0, 0, 0, 0]).bytes

    let result = try agent.run(["cat"], input: frames + frames + [0xFF, 0xFF])

    #expect(result.outputBytes == frames + frames + [0xFF, 0xFF])
    #expect(result.end == .exited(status: 0))
  }

  @Test("a program that leaves another one behind with its output does not hold its status back")
  func leftBehind() throws {
    let agent = try LocalAgent()

    let quiet = try agent.run(["sh", "-c", "sleep 300 & echo done"])
    let loud = try agent.run(["sh", "-c", "yes & echo $!; exit 3"])
    let process = Int32(loud.output.split(separator: "\n").first { $0 != "y" } ?? "")
    if let process { kill(process, SIGKILL) }

    #expect(quiet.output == "done\n")
    #expect(quiet.end == .exited(status: 0))
    #expect(loud.end == .exited(status: 3))
  }

  @Test("files are written, read and refused, and folders made")
  func files() throws {
    let agent = try LocalAgent()
    let folder = try TemporaryFolder()
    let bytes = [UInt8](repeating: 7, count: 300_000)
    func path(_ name: String) -> [UInt8] { Array(folder.path(name).utf8) + [0] }

    let made = try agent.ask(.folder, AgentFrame.bytes(of: 0o755) + path("a/b"))
    let written = try agent.ask(.write, AgentFrame.bytes(of: 0o640) + path("a/b/file"), input: bytes)
    let read = try agent.ask(.read, path("a/b/file"))
    let missing = try agent.ask(.read, path("missing"))
    let isFolder = try agent.ask(.read, path("a"))

    #expect(made.end == .exited(status: 0))
    #expect(written.end == .exited(status: 0))
    #expect(read.outputBytes.count == bytes.count)
    #expect(HostFiles.bytes(folder.path("a/b/file")).count == bytes.count)
    let isWhole = read.outputBytes == bytes
    #expect(isWhole)
    #expect(read.end == .exited(status: 0))
    #expect(missing.end == .failed(errno: ENOENT))
    #expect(isFolder.end == .failed(errno: EISDIR))
  }

  @Test("links are made in place of files and links, and of no folder")
  func links() throws {
    let agent = try LocalAgent()
    let folder = try TemporaryFolder()
    _ = try folder.write("file", [1])
    _ = try folder.makeFolder("folder")
    func texts(_ name: String) -> [UInt8] { Array("target\0\(folder.path(name))\0".utf8) }

    let new = try agent.ask(.link, texts("new"))
    let again = try agent.ask(.link, texts("new"))
    let file = try agent.ask(.link, texts("file"))
    let isFolder = try agent.ask(.link, texts("folder"))
    let unended = try agent.ask(.link, Array("target".utf8))
    _ = try folder.write("target", [2])

    #expect(new.end == .exited(status: 0))
    #expect(again.end == .exited(status: 0))
    #expect(file.end == .exited(status: 0))
    #expect(isFolder.end == .failed(errno: EISDIR))
    #expect(unended.end == .failed(errno: EINVAL))
    #expect(folder.read("new") == [2])
    #expect(folder.read("file") == [2])
  }

  @Test("an agent that is killed loses what was under way, and says so")
  func killed() throws {
    let agent = try LocalAgent()
    let wait = agent.begin(["sleep", "300"])
    _ = try agent.run(["true"])

    kill(agent.process, SIGKILL)
    let result = try wait.result()
    let later = try agent.run(["true"])

    #expect(result.end == .lost(.ended))
    #expect(later.end == .lost(.ended))
  }

  @Test("requests that are no requests are refused, and the next one is done")
  func nonsense() throws {
    let agent = try LocalAgent()

    let empty = try agent.ask(.start, [])
    let none = try agent.ask(.start, [UInt8](repeating: 0, count: 8))
    let many = try agent.ask(.start, [UInt8](repeating: 0xFF, count: 64))
    let unended = try agent.ask(.read, Array("/etc/passwd".utf8))
    let shutDown = try agent.ask(.shutDown, [])
    let good = try agent.run(["true"])

    #expect(empty.end == .failed(errno: EINVAL))
    #expect(none.end == .failed(errno: EINVAL))
    #expect(many.end == .failed(errno: E2BIG))
    #expect(unended.end == .failed(errno: EINVAL))
    #expect(shutDown.end == .failed(errno: EINVAL))
    #expect(good.end == .exited(status: 0))
  }
}

/// The agent as a process, and the host's side of it.
private final class LocalAgent {
  let connection: AgentConnection
  let process: Int32
  private let file: TemporaryFolder

  struct Result {
    var outputBytes: [UInt8] = []
    var errorBytes: [UInt8] = []
    var end: AgentConnection.Event
    var output: String { String(decoding: outputBytes, as: UTF8.self) }
    var errors: String { String(decoding: errorBytes, as: UTF8.self) }
  }

  struct Late: Error {}

  init() throws {
    file = try TemporaryFolder()
    let program = file.path("agent")
    _ = try file.write("agent", AgentImage.program, permissions: 0o755)
    var (ours, theirs): (Int32, Int32) = (-1, -1)
    // SAFETY: the variables hold for the call.
    guard unsafe chost_stream_pair(&ours, &theirs) == 0 else { throw Late() }
    // A descriptor of the agent's that stays open over its start.
    let inherited = dup(theirs)
    let key = [UInt8](repeating: UInt8(ascii: "k"), count: 16)
    var pid: pid_t = 0
    let words = [program, "--descriptor", "\(inherited)", String(decoding: key, as: UTF8.self)]
    // SAFETY: the texts are copied by the call, and freed behind it.
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    var error: Int32
    repeat {
      // A process that another test starts meanwhile may have the file open for writing, for a moment.
      error = unsafe posix_spawn(&pid, program, nil, nil, &arguments, environ)
    } while error == ETXTBSY
    unsafe arguments.forEach { unsafe free($0) }
    close(theirs)
    close(inherited)
    guard error == 0 else { throw Late() }
    process = pid
    connection = try AgentConnection(OwnedDescriptor(owning: ours), key: key)
  }

  deinit {
    connection.close()
    kill(process, SIGKILL)
    var status: Int32 = 0
    // SAFETY: the variable holds for the call.
    _ = unsafe waitpid(process, &status, 0)
  }

  final class Wait: Sendable {
    private let state = Mutex(Result(end: .started(process: 0)))

    func take(_ event: AgentConnection.Event) {
      state.withLock { result in
        switch event {
        case .output(let bytes): result.outputBytes += bytes
        case .errorOutput(let bytes): result.errorBytes += bytes
        default: result.end = event
        }
      }
    }

    func result() throws -> Result {
      let limit = TestLimit(.seconds(30))
      while !limit.hasPassed {
        let result = state.withLock { $0 }
        if result.end.isLast { return result }
        usleep(1000)
      }
      throw Late()
    }
  }

  func begin(_ words: [String], input: [UInt8] = [], folder: String = "/") -> Wait {
    var command = GuestCommand(words: words)
    command.folder = folder
    return begin(.start, command.payload ?? [], input: input)
  }

  private func begin(_ request: AgentFrame.Request, _ payload: [UInt8], input: [UInt8]) -> Wait {
    let wait = Wait()
    let stream = connection.begin(request, payload) { wait.take($0) }
    connection.send(input, to: stream, ends: true)
    return wait
  }

  func run(_ words: [String], input: [UInt8] = [], folder: String = "/") throws -> Result {
    try begin(words, input: input, folder: folder).result()
  }

  func ask(_ request: AgentFrame.Request, _ payload: [UInt8], input: [UInt8] = []) throws -> Result {
    try begin(request, payload, input: input).result()
  }
}
