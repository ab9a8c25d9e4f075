import CHost
import Glibc
import Host
import Logging
import TestSupport
import Testing

@testable import HostBackends

@Suite(.timeLimit(.minutes(10))) struct PasstSupervisorTests {
  /// A program that stands in for passt.
  private func program(_ script: String, in folder: TemporaryFolder) throws -> String {
    let path = folder.path("program")
    let text = Array("#!/bin/sh\n\(script)\n".utf8)
    // SAFETY: the texts hold for the calls.
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o755)
    defer { close(file) }
    try #require(unsafe write(file, text, text.count) == text.count)
    return path
  }

  private func supervisor(_ path: String, _ loop: EventLoop, cannotServe: @escaping (String) -> Void = { _ in }) throws
    -> PasstSupervisor
  {
    try PasstSupervisor(
      name: "network0",
      path: path,
      arguments: ["passt"],
      backend: try StreamNetworkBackend(loop),
      loop: loop,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      cannotServe: cannotServe
    )
  }

  @Test func aProgramThatDiesTakesTheLinkDownAndTheNextOneBringsItBack() throws {
    let folder = try TemporaryFolder()
    let loop = try EventLoop()
    let supervisor = try supervisor(try program("exec cat <&3", in: folder), loop)
    var links: [Bool] = []
    try supervisor.connect { isUp in
      links.append(isUp)
      if isUp { loop.stop() }
    }
    let first = try #require(supervisor.process)

    kill(first, SIGKILL)
    try loop.run()

    let second = try #require(supervisor.process)
    #expect(links.last == true)
    #expect(links.dropLast().allSatisfy { !$0 } && links.count > 1)
    #expect(second != first)
    supervisor.shutDown()
    #expect(kill(second, 0) == -1)
  }

  @Test func aProgramThatCannotDoWhatItIsToldEndsTheMachineWithItsWords() throws {
    let folder = try TemporaryFolder()
    let loop = try EventLoop()
    var reasons: [String] = []
    let supervisor = try supervisor(try program("echo no port 22 >&2; exit 1", in: folder), loop) {
      reasons.append($0)
      loop.stop()
    }

    try supervisor.connect { _ in }
    try loop.run()

    #expect(reasons == ["passt ended with status 1 (no port 22)"])
    supervisor.shutDown()
  }

  @Test func aProgramThatIsNotThereIsAnError() throws {
    let loop = try EventLoop()
    let supervisor = try supervisor("/nowhere/passt", loop)

    #expect(throws: NetworkError.cannotStartPasst(path: "/nowhere/passt", errno: ENOENT)) {
      try supervisor.connect { _ in }
    }
    supervisor.shutDown()
  }

  @Test func passtIsLookedForInTheFoldersThatAreNamed() throws {
    let folder = try TemporaryFolder()
    let path = try program("exit 0", in: folder)
    let file = folder.path("passt")
    // SAFETY: the texts hold for the call.
    try #require(unsafe rename(path, file) == 0)
    let directory = String(file.dropLast("/passt".utf8.count))

    #expect(try PasstProgram.find(in: "/nowhere:\(directory)") == file)
    #expect(throws: NetworkError.passtMissing) { _ = try PasstProgram.find(in: "/nowhere") }
    #expect(NetworkError.passtMissing.description.contains("apt-get install passt"))
    #expect(NetworkError.passtMissing.kind == .hostFailure)
  }

  @Test func aProgramThatSomebodyElseHasReapedHasEndedAllTheSame() throws {
    let folder = try TemporaryFolder()
    let program = try PasstProgram.start(try program("exit 3", in: folder), ["passt"])
    // As the kernel does where a process ignores SIGCHLD.
    var status: Int32 = 0
    // SAFETY: the call writes the status and keeps nothing.
    _ = unsafe waitpid(program.process, &status, 0)

    let end = program.takeEnd()

    #expect(end?.is_unknown == true)
  }

  @Test func aProgramInheritsItsSocketAlone() throws {
    let folder = try TemporaryFolder()
    // Not closed on exec, as a descriptor that the caller of Apus has opened for it.
    let inherited = dup2(STDERR_FILENO, 200)
    defer { close(inherited) }

    let program = try PasstProgram.start(try program("exec ls /proc/self/fd", in: folder), ["passt"])

    #expect(isReadable(program.end.rawValue, within: 10_000))
    let descriptors = String(decoding: program.takeOutput(), as: UTF8.self).split(separator: "\n")
    #expect(descriptors.contains("3"))
    #expect(!descriptors.contains("200"))
  }

  @Test func aProgramGetsNothingOfTheEnvironment() throws {
    let program = try PasstProgram.start("/usr/bin/env", ["env"])

    #expect(isReadable(program.end.rawValue, within: 10_000))
    let variables = String(decoding: program.takeOutput(), as: UTF8.self).split(separator: "\n").sorted()
    #expect(variables == ["LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
  }

  @Test func theEndOfTheSocketEndsTheProgram() throws {
    let folder = try TemporaryFolder()
    var program: ChildProgram? = try PasstProgram.start(try program("exec cat <&3", in: folder), ["passt"])
    let running = try #require(program)
    let isRunning = running.takeEnd() == nil

    do { _ = running.takeSocket() }

    #expect(isRunning)
    #expect(isReadable(running.end.rawValue, within: 10_000))
    #expect(running.takeEnd()?.status == 0)
    program = nil
  }

  @Test func passtIsToldThePortsAndTheSizeOfPackets() {
    let forwards = [
      PasstForward(isUDP: false, ports: "127.0.0.1/2222:22"), PasstForward(isUDP: true, ports: "127.0.0.1/53:5353"),
    ]

    let closed = PasstProgram.arguments(forwards: forwards, hostLoopback: false, mtu: 1500)
    let open = PasstProgram.arguments(forwards: [], hostLoopback: true, mtu: 1500)

    let text = closed.joined(separator: " ")
    #expect(text.hasSuffix("--tcp-ports 127.0.0.1/2222:22 --udp-ports 127.0.0.1/53:5353"))
    #expect(text.contains("--fd 3 --mtu 1500"))
    #expect(closed.contains("--no-map-gw"))
    #expect(!open.contains("--no-map-gw"))
  }
}
