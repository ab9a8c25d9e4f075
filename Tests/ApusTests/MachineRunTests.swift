import Apus
import Glibc
import Host
import SCMI
import SCMIFile
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct MachineRunTests {
  @Test func aRunThatCannotOpenOnePartLetsGoOfTheOthersAndOfItsPlatform() throws {
    let folder = try TemporaryFolder()
    let image = try folder.write("Image", linuxImage())
    let ports = try folder.makeFolder("ports")
    var ends: [Int32] = [0, 0]
    // SAFETY: the array has room for two.
    try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    defer { close(ends[1]) }
    let platform = SharedPlatform(try SCMIPlatform(PlatformDefinition { $0.agents = [AgentDefinition("os")] })) { 0 }
    var configuration = Configuration(kernel: image)
    configuration.scmiTranscript = folder.path("transcript")
    configuration.devices = [
      .init(.network(.init(.descriptor(ends[0])))), .init(.scmi(.shared())),
      .init(.console(.init(ports: [.init("a", .file(path: ports + "/a"))]))),
    ]
    let machine = try Machine(configuration, platform: platform)
    // SAFETY: the path holds for the call.
    try #require(unsafe rmdir(ports) == 0)

    let report = machine.run()
    close(ends[0])

    #expect(report.outcome == "cannot-create")
    var byte: UInt8 = 0
    var waiting = pollfd(fd: ends[1], events: Int16(POLLIN), revents: 0)
    // A process that another test starts has this one's descriptors for a moment.
    // SAFETY: the variable holds for the call.
    #expect(unsafe poll(&waiting, 1, 10_000) == 1)
    // SAFETY: the variable holds for the call.
    #expect(unsafe recv(ends[1], &byte, 1, Int32(MSG_DONTWAIT)) == 0, "the machine keeps the socket")
    #expect(folder.read("transcript") == nil)
  }
}
