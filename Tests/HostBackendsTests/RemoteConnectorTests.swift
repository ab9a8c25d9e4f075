import CHost
import Glibc
import Host
import TestSupport
import Testing
import VhostUser

@testable import HostBackends

/// Programs and sockets that are no back-end: what people are told.
@Suite(.timeLimit(.minutes(5))) struct RemoteConnectorTests {
  /// What a program comes to that stands in for virtiofsd.
  private func words(of script: String) throws -> String {
    let folder = try TemporaryFolder()
    // As a script for a program that is there: one that was just written may be busy, where other tests start some.
    let path = try folder.write("script", Array("\(script)\n".utf8))
    return try words(of: "/bin/sh", ["sh", path])
  }

  private func words(of path: String, _ arguments: [String]) throws -> String {
    let connector = ProgramConnector(
      path: path,
      arguments: arguments,
      listens: true,
      device: "share0",
      advise: { VirtiofsdProgram.advice(for: $0) },
      log: { _ in }
    )
    let link = try VhostUserLink(connector, configurationSize: 0)
    let error = #expect(throws: VhostUserError.self) { _ = try link.open() }
    return "\(connector.subject): \(try #require(error))"
  }

  @Test(arguments: [
    // The one in C of Debian 12.
    "virtiofsd: unrecognized option '--shared-dir'",
    // One of before 1.13.
    "error: unexpected argument '--readonly' found",
    "error: Found argument '--readonly' which wasn't expected, or isn't valid in this context",
  ])
  func anOldVirtiofsdIsToldToBeSo(line: String) throws {
    let words = try words(
      of: "echo \"\(line)\" >&2; echo >&2; echo \"For more information, try '--help'.\" >&2; exit 2"
    )

    let said = "\(line) / For more information, try '--help'."
    #expect(words.hasPrefix("share0: sh: it ended with status 2 (\(said)); "))
    #expect(words.contains("too old") && words.contains("Debian 13's serves"))
  }

  @Test(arguments: [
    "Error entering sandbox: failed to unshare: Operation not permitted (os error 1)",
    "Error entering sandbox: Error executing newuidmap",
    "can't write /proc/self/uid_map",
  ])
  func aVirtiofsdThatMayMakeNoSandboxIsToldWhatItTakes(line: String) throws {
    let words = try words(of: "echo \"\(line)\" >&2; exit 1")

    #expect(words.hasPrefix("share0: sh: it ended with status 1 (\(line)); it cannot make its sandbox here"))
    #expect(words.contains("user.max_user_namespaces") && words.hasSuffix("or run as root"))
  }

  @Test func theTimeBeforeALineIsNoReasonOfItsOwn() throws {
    let words = try words(of: "echo '[2026-11-30T02:10:30Z ERROR virtiofsd] no such folder' >&2; exit 1")

    #expect(words == "share0: sh: it ended with status 1 (no such folder)")
  }

  @Test func aFolderWhoseNameBeginsAsAnOptionDoesIsAFolder() {
    let arguments = VirtiofsdProgram.arguments(directory: "--readonly", isReadOnly: false)

    #expect(arguments.last == "--shared-dir=--readonly")
  }

  @Test func aProgramThatEndsForAnotherReasonIsToldWithItsWords() throws {
    #expect(
      try words(of: "echo no more disks >&2; exit 3") == "share0: sh: it ended with status 3 (no more disks)"
    )
  }

  @Test func aProgramThatCannotBeStartedIsToldSo() throws {
    let words = try words(of: "/nowhere/virtiofsd", ["virtiofsd"])

    #expect(words.contains("'/nowhere/virtiofsd' cannot be started: No such file or directory"))
  }

  @Test func virtiofsdIsLookedForInTheFoldersThatAreNamed() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("virtiofsd", Array("#!/bin/sh\n".utf8), permissions: 0o755)

    #expect(VirtiofsdProgram.find(in: "/nowhere:\(folder.path)") == path)
    #expect(VirtiofsdProgram.find(in: "/nowhere") == nil)
    #expect(VirtiofsdProgram.advice.contains("apt-get install virtiofsd"))
  }

  /// What comes of a try with a program that says nothing and ends with a status.
  private func trial(endingWith status: Int) throws -> (trial: VirtiofsdProgram.Trial, path: String) {
    let folder = try TemporaryFolder()
    let path = try folder.write("virtiofsd", Array("#!/bin/sh\nexit \(status)\n".utf8))
    // SAFETY: the path holds for the call.
    try #require(unsafe chmod(path, 0o755) == 0)
    while true {
      let trial = VirtiofsdProgram.attempt(in: folder.path)
      // One that was just written, while another test started a program, which holds it until that runs.
      if case .cannotServe(_, let reason) = trial, reason.contains("Text file busy") { continue }
      return (trial, path)
    }
  }

  @Test(arguments: [0, 1]) func aTrialOfVirtiofsdSaysWhyItCannotServe(status: Int) throws {
    let (trial, path) = try trial(endingWith: status)

    let advice = "it said nothing: see whether '\(path)' is the program that is meant"
    let reason = "it ended with status \(status); \(advice)"
    #expect(trial == .cannotServe(version: "of an unknown version", reason: reason))
    #expect(VirtiofsdProgram.attempt(in: "/nowhere") == .missing)
  }

  // MARK: Sockets

  private func words(ofSocketAt path: String) throws -> String {
    let link = try VhostUserLink(SocketConnector(path: path, name: "disk0"), configurationSize: 0)
    let error = #expect(throws: VhostUserError.self) { _ = try link.open() }
    return "\(try #require(error))"
  }

  @Test func aSocketThatIsNotThereIsToldSo() throws {
    let folder = try TemporaryFolder()

    #expect(
      try words(ofSocketAt: folder.path("none")).hasSuffix(
        "start the back-end first, or name the socket that it listens on"
      )
    )
  }

  @Test func aPathThatNoSocketCanHaveIsToldSo() throws {
    let folder = try TemporaryFolder()
    let path = folder.path(String(repeating: "x", count: 108))

    #expect(try words(ofSocketAt: path).hasSuffix("a socket's path has at most 107 bytes: name a shorter one"))
  }

  @Test func aSocketThatNobodyListensOnAnyLongerIsToldSo() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("stale")
    // SAFETY: the path holds for the call.
    let listener = unsafe chost_socket_listen(path, 1, true)
    try #require(listener >= 0)
    close(listener)

    #expect(try words(ofSocketAt: path).hasSuffix("nobody listens there any longer: start the back-end anew"))
  }

  @Test func aSocketWhoseBackEndHasConnectionsEnoughIsToldSo() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("busy")
    // SAFETY: the path holds for the calls.
    let listener = unsafe chost_socket_listen(path, 0, true)
    try #require(listener >= 0)
    let first = unsafe chost_socket_connect(path, 1000)
    try #require(first >= 0)
    defer {
      close(first)
      close(listener)
    }

    #expect(try words(ofSocketAt: path).hasSuffix("it takes no further connection: end the one that it has"))
  }
}
