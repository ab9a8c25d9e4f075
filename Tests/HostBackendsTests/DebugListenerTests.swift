import Glibc
import Host
import TestSupport
import Testing

@testable import HostBackends

@Suite(.timeLimit(.minutes(10))) struct DebugListenerTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path("gdb") }

  init() throws {
    folder = try TemporaryFolder()
  }

  private func problem(_ path: String) -> String? { DebugListener.problem(.socket(path: path))?.description }

  @Test func aSocketIsThisUsersAloneAndGoesWithItsListener() throws {
    do {
      let listener = try DebugListener(.socket(path: path))

      #expect(HostFiles.mode(of: path) == 0o600)
      #expect(listener.address == path)
      #expect(listener.accept() == nil)
    }
    #expect(HostFiles.mode(of: path) == nil)
  }

  @Test func whateverMaskTheProcessHasNobodyElseCanOpenIt() throws {
    let mask = umask(0)
    defer { umask(mask) }

    let listener = try DebugListener(.socket(path: path))

    #expect(HostFiles.mode(of: path) == 0o600)
    #expect(listener.rawValue >= 0)
  }

  @Test func aPathThatIsInUseIsRefusedAndItsListenerSeesNothing() throws {
    let listener = try DebugListener(.socket(path: path))

    let second = #expect(throws: ListeningError.self) { _ = try DebugListener(.socket(path: path)) }

    #expect(second?.kind == .cannotCreate)
    #expect(problem(path)?.contains("something else is there") == true)
    #expect(listener.accept() == nil)
  }

  @Test func aSymbolicLinkAndAFileStayAsTheyAre() throws {
    try folder.write("file", [1])
    // SAFETY: the texts hold for the call.
    try #require(unsafe symlink("/nowhere", path) == 0)

    #expect(problem(path)?.contains("something else is there") == true)
    #expect(problem(folder.path("file"))?.contains("something else is there") == true)
    #expect(throws: ListeningError.self) { _ = try DebugListener(.socket(path: path)) }
    #expect(HostFiles.mode(of: path) == 0o777 && HostFiles.bytes(folder.path("file")) == [1])
  }

  @Test func whatCannotBeASocketsPathSaysWhy() {
    let long = problem(folder.path(String(repeating: "x", count: 200)))
    let missing = problem(folder.path("missing/gdb"))

    #expect(long?.contains("too long") == true)
    #expect(missing?.contains("No such file or directory") == true)
  }

  @Test func aSocketThatAKilledMachineLeftIsReplaced() throws {
    // As a process leaves it that is killed: the name stays.
    let left = folder.path("left")
    let first = try DebugListener(.socket(path: left))
    // SAFETY: the texts hold for the call.
    try #require(unsafe rename(left, path) == 0)
    let live = problem(path)
    withExtendedLifetime(first) {}
    _ = consume first

    let stale = problem(path)
    let second = try DebugListener(.socket(path: path))

    #expect(live != nil && stale == nil)
    #expect(second.address == path)
  }

  @Test func aPortIsOnTheLoopbackInterfaceAndAnotherCannotHaveIt() throws {
    let listener = try DebugListener(.port(0))
    let number = try #require(UInt16(listener.address.split(separator: ":").last ?? ""))

    let taken = DebugListener.problem(.port(number))?.description

    #expect(listener.address.hasPrefix("127.0.0.1:") && number > 0)
    #expect(taken?.contains("cannot listen on port \(number)") == true)
    #expect(taken?.contains("name another port") == true)
  }
}
