import TestSupport
import Testing

@testable import Apus

/// The paths of what is wrong with a configuration, each once.
private func paths(_ configuration: Configuration) -> [Configuration.Path] {
  do throws(ConfigurationError) {
    _ = try configuration.check()
    return []
  } catch {
    var paths: [Configuration.Path] = []
    for problem in error.problems where !paths.contains(problem.path) { paths.append(problem.path) }
    return paths
  }
}

private typealias Device = Configuration.Device

/// Changes a configuration of a machine that could be made into one with a single mistake.
private typealias Change = @Sendable (inout Configuration) -> Void

/// Mistakes in what has no suite of its own, and where each stands.
private let mistakes: [(path: String, change: Change)] = [
  ("payload", { $0.payload = .kernel(path: "/nonexistent/Image") }),
  ("initramfs", { $0.initramfs = "/nonexistent/initrd" }),
  ("commandLine", { $0.commandLine = "a\0" }),
  ("name", { $0.name = "é" }),
  ("cpuCount", { $0.cpuCount = 0 }),
  ("memorySize", { $0.memorySize = 1 }),
  ("gic", { ($0.gic, $0.cpuCount) = (.v2, 9) }),
  ("devices", { $0.devices = Array(repeating: Device(.entropy), count: 33) }),
  ("dma", { $0.dma = .confined(windowSize: 1) }),
  ("scmiTranscript", { $0.scmiTranscript = "/nonexistent/transcript" }),
  ("gunyahTranscript", { $0.gunyahTranscript = "transcript" }),
  ("gunyahTranscript", { ($0.personality, $0.gunyahTranscript) = (.gunyah, "/nonexistent/transcript") }),
  ("console", { $0.console = .file(path: "/nonexistent/log") }),
  ("console", { $0.console = .pseudoTerminal(link: "/nonexistent/link") }),
  ("timeout", { $0.timeout = .zero }),
  ("deviceTreeDump", { $0.deviceTreeDump = "/nonexistent/dtb" }),
  ("deviceTreeOverlays[1]", { $0.deviceTreeOverlays = ["/dev/null", "/nonexistent/overlay"] }),
  ("devices[1]", { $0.devices = [Device(.console(.init())), Device(.console(.init()))] }),
  ("devices[1].window", { $0.devices = [Device(.entropy), Device(window: "A")] }),
  ("devices[0].window", { ($0.devices, $0.dma) = ([Device(window: "a")], .open) }),
  ("devices[16].window", { $0.devices = (0..<17).map { Device(window: "w\($0)") } }),
  ("devices[1].block.path", { $0.devices = [Device(.entropy), Device(.block(.init(path: "/nonexistent/disk")))] }),
  ("devices[0].network.connection", { $0.devices = [Device(.network(.init(.descriptor(9999))))] }),
  ("devices[0].console.ports[0].destination", { $0.devices = [Device(port: .socket(path: "/nonexistent/socket"))] }),
  ("devices[0].console.ports[0].destination", { $0.devices = [Device(port: .file(path: "/nonexistent/file"))] }),
  ("devices[0].console.ports[0].destination", { $0.devices = [Device(port: .descriptor(9999))] }),
  ("devices[0].scmi.source", { $0.devices = [Device(.scmi(.init(path: "/nonexistent/platform")))] }),
  ("devices[0].scmi.source", { $0.devices = [Device(.scmi(.shared()))] }),
  ("devices[0].messages.socket", { $0.devices = [Device(.messages(.init(.entropy, socket: "")))] }),
  ("devices[0].messages.platform", { $0.devices = [Device(.messages(.init(.scmi, socket: "a")))] }),
  ("devices[1].messages.socket", { $0.devices = [Device(socket: "a"), Device(socket: "a")] }),
  ("memoryLimit", { $0.memoryLimit = $0.memorySize - 1 }),
  ("memoryLimit", { ($0.memoryLimit, $0.devices) = ($0.memorySize + (64 << 20), [Device(memory: 128 << 20)]) }),
  ("devices[0].memory.size", { $0.devices = [Device(.memory(.init(size: 0)))] }),
  ("devices[0].memory.size", { $0.devices = [Device(.memory(.init(size: 1 << 20)))] }),
  ("devices[0].memory.size", { $0.devices = [Device(.memory(.init(size: 8 << 40)))] }),
  ("devices[0].memory.initialSize", { $0.devices = [Device(memory: (128 << 20) + 1)] }),
  ("devices[0].memory.initialSize", { $0.devices = [Device(memory: 1 << 30)] }),
  ("devices[0].memory.blockSize", { $0.devices = [Device(memoryBlock: 1 << 20)] }),
  ("devices[0].memory.blockSize", { $0.devices = [Device(memoryBlock: 3 << 20)] }),
  ("devices[0].memory.blockSize", { $0.devices = [Device(memoryBlock: 256 << 20)] }),
  ("devices[0].memory.name", { $0.devices = [Device(memoryName: "A")] }),
  ("devices[1]", { $0.devices = [Device(memoryName: "a"), Device(memoryName: "a")] }),
  ("devices[8]", { $0.devices = (0..<9).map { Device(memoryName: "m\($0)") } }),
  ("devices[0]", { ($0.devices, $0.dma) = ([Device(memoryName: "a")], .open) }),
  ("devices[0]", { $0.devices = [Device(memoryName: "a"), Device(.iommu)] }),
  ("devices[1].window", { $0.devices = [Device(.iommu), Device(window: "a")] }),
  ("devices[2]", { $0.devices = [Device(.iommu), Device(.entropy), Device(.iommu)] }),
]

@Suite struct ProblemPathTests {
  @Test(arguments: mistakes.indices)
  func aMistakeHasThePathOfWhatHasToChange(index: Int) throws {
    let folder = try TemporaryFolder()
    var configuration = Configuration(kernel: try folder.write("Image", linuxImage()))
    #expect(paths(configuration).isEmpty)

    mistakes[index].change(&configuration)

    #expect(paths(configuration).last?.description == mistakes[index].path, "\(paths(configuration))")
  }

  @Test(arguments: [("serial", "devices[0].block.serial"), ("queueCount", "devices[0].block.queueCount")])
  func aDisksSettingsHavePathsOfTheirOwn(setting: String, path: String) throws {
    let folder = try TemporaryFolder()
    var disk = Configuration.Device.Block(path: try folder.write("disk", [UInt8](repeating: 0, count: 512)))
    if setting == "serial" { disk.serial = "a b" } else { disk.queueCount = 17 }
    var configuration = Configuration(kernel: try folder.write("Image", linuxImage()))
    configuration.devices = [Device(.block(disk))]

    #expect(paths(configuration).map(\.description) == [path])
  }

  @Test func anAgentThatThePlatformDoesNotHaveIsTheAgentsMistakeAndAWrongFileTheSources() throws {
    let folder = try TemporaryFolder()
    let platform = try folder.write("platform", Array(#"{"agents": [{"name": "a"}, {"name": "b"}]}"#.utf8))
    let damaged = try folder.write("damaged", Array("{".utf8))
    var configuration = Configuration(kernel: try folder.write("Image", linuxImage()))

    configuration.devices = [Device(.scmi(.init(path: platform, agent: "c")))]
    #expect(paths(configuration).map(\.description) == ["devices[0].scmi.agent"])
    configuration.devices = [Device(.scmi(.init(path: platform)))]
    #expect(paths(configuration).map(\.description) == ["devices[0].scmi.agent"])
    configuration.devices = [Device(.scmi(.init(path: damaged)))]
    #expect(paths(configuration).map(\.description) == ["devices[0].scmi.source"])
    configuration.devices = [
      Device(.scmi(.init(path: platform, agent: "a"))), Device(.scmi(.init(path: platform, agent: "b"))),
    ]
    #expect(paths(configuration).map(\.description) == ["devices[1]"])
  }

  @Test func aReasonIsWrittenWithAnyonesNamesAndOnOneLine() {
    let reason: ConfigurationError.Reason = "a\n\(3) with \(at: .property(.gic), "v3") or \(at: .deviceTreeOverlay(1))"

    #expect(reason.description == "a\\n3 with `gic` v3 or `deviceTreeOverlays[1]`")
    #expect(
      reason.text { path, value in "<\(path)=\(value ?? "")>" } == "a\\n3 with <gic=v3> or <deviceTreeOverlays[1]=>"
    )
    #expect(!reason.isPredicate && ConfigurationError.Reason(predicate: "takes 1").isPredicate)
  }

  @Test func everyPathIsDescribedByAPathOfItsOwn() {
    let all = Configuration.Path.allCases

    #expect(Set(all.map(\.description)).count == all.count)
    #expect(all.map(\.description).contains("devices[0].network.connection.passt.forwards[0].hostPort"))
  }

  @Test func anOutcomeOfAProblemHasItsEndAndNamesIt() {
    let problem = ConfigurationError.Problem(.usage, .device(1, .scmi(.agent)), "another machine is it")

    let outcome = Outcome(failure: ConfigurationError(problems: [problem]))

    #expect(outcome.end == .badInput)
    #expect(outcome.message == "devices[1].scmi.agent: another machine is it")
    #expect(outcome.problem == problem)
  }
}

extension Configuration.Device {
  fileprivate init(window: String) {
    self.init(.entropy)
    self.window = window
  }

  fileprivate init(memory initialSize: UInt64) {
    var memory = Configuration.Device.Memory(size: 512 << 20)
    memory.initialSize = initialSize
    self.init(.memory(memory))
  }

  fileprivate init(memoryBlock blockSize: UInt64) {
    var memory = Configuration.Device.Memory(size: 128 << 20)
    memory.blockSize = blockSize
    self.init(.memory(memory))
  }

  fileprivate init(memoryName name: String) {
    var memory = Configuration.Device.Memory(size: 128 << 20)
    memory.name = name
    self.init(.memory(memory))
  }

  fileprivate init(socket path: String) {
    self.init(.messages(.init(.entropy, socket: path)))
  }

  fileprivate init(port: Configuration.Port.Destination) {
    self.init(.console(.init(carriesConsole: false, ports: [.init("p", port)])))
  }
}
