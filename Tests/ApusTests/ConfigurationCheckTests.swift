import BootImage
import CTestSupport
import Glibc
import GuestABI
import GuestMemory
import Host
import SCMI
import SCMIFile
import TestSupport
import Testing

@testable import Apus

/// A folder with a kernel that boots anywhere.
private struct Files {
  let folder: TemporaryFolder
  let kernel: String

  init() throws {
    folder = try TemporaryFolder()
    kernel = try folder.write("Image", linuxImage())
  }
}

/// What is wrong with a configuration.
private func mistakes(
  in configuration: Configuration,
  on platform: SharedPlatform? = nil
) -> [ConfigurationError.Problem] {
  do throws(ConfigurationError) {
    _ = try configuration.check(platform: platform)
    return []
  } catch {
    return error.problems
  }
}

@Suite struct ConfigurationCheckTests {
  @Test func everyMistakeIsToldAtOnceInTheOrderOfTheConfiguration() {
    var configuration = Configuration(kernel: "/nonexistent/Image", initramfs: "/nonexistent/initrd")
    configuration.name = ""
    configuration.cpuCount = 600
    configuration.gic = .v2
    configuration.memorySize = 12345
    configuration.commandLine = String(repeating: "x", count: 2048)
    configuration.timeout = .zero
    configuration.console = .file(path: "/nonexistent/console")
    configuration.deviceTreeDump = "/nonexistent/dtb"

    let problems = mistakes(in: configuration)

    #expect(
      problems.map(\.description) == [
        "name: takes 1 to 64 printable ASCII characters",
        "cpuCount: takes at most 512, which is KVM's limit on arm64, not 600",
        "gic: serves at most 8 vCPUs, not 600; use `gic` v3",
        "memorySize: takes a multiple of 1 MiB, not 12345 bytes",
        "commandLine: takes less than 2048 bytes, which is what an arm64 kernel keeps of it",
        "timeout: takes more than 0 seconds",
        "payload: '/nonexistent/Image' does not exist; check the path",
        "initramfs: '/nonexistent/initrd' does not exist; check the path",
        "console: cannot write '/nonexistent/console': No such file or directory; "
          + "name a file in a folder that exists and that you may write to",
        "deviceTreeDump: cannot write '/nonexistent/dtb': No such file or directory; "
          + "name a file in a folder that exists and that you may write to",
      ]
    )
    #expect(
      problems.map(\.kind) == Array(repeating: .usage, count: 6) + [
        .inputNotFound, .inputNotFound, .cannotCreate, .cannotCreate,
      ]
    )
    #expect(ConfigurationError(problems: problems).exitStatus == 64)
  }

  @Test(arguments: [
    (0, "takes 1 or more, not 0"), (-1, "takes 1 or more, not -1"),
    (513, "takes at most 512, which is KVM's limit on arm64, not 513"),
  ])
  func aNumberOfVCPUsThatNoMachineHasIsRefused(cpuCount: Int, message: String) throws {
    var configuration = Configuration(kernel: try Files().kernel)
    configuration.cpuCount = cpuCount

    #expect(mistakes(in: configuration).map(\.description).contains("cpuCount: " + message))
  }

  @Test(
    arguments: [
      (0, "takes at least 1M, not 0"),
      ((1 << 20) - 1, "takes a multiple of 1 MiB, not 1048575 bytes"),
      ((4 << 40) + (1 << 20), "takes at most 4T, which is what one memory slot of KVM holds"),
      (0xFFFF_FFFF_FFF0_0000, "takes at most 4T, which is what one memory slot of KVM holds"),
    ] as [(UInt64, String)]
  )
  func aSizeThatNoMachineHasIsRefused(memorySize: UInt64, message: String) throws {
    let files = try Files()
    var configuration = Configuration(kernel: files.kernel)
    configuration.memorySize = memorySize

    #expect(mistakes(in: configuration).map(\.description) == ["memorySize: " + message])
  }

  @Test(arguments: ["manager", "a/128", "/"])
  func aNameThatTranscriptsOfGunyahHaveForOthersIsRefusedWhereTheGuestFindsIt(name: String) throws {
    let files = try Files()
    var configuration = Configuration(kernel: files.kernel)
    configuration.name = name

    #expect(mistakes(in: configuration) == [])
    configuration.personality = .gunyah
    let found = mistakes(in: configuration).map(\.description)
    #expect(found.count == 1 && found[0].hasPrefix("name: takes neither 'manager' nor a '/' where"), "\(found)")
  }

  @Test(arguments: [(1, 512), (512, 512), (512, 1 << 20)])
  func theLargestMachinesHaveAPlan(cpuCount: Int, memoryInMiB: UInt64) throws {
    let files = try Files()
    var configuration = Configuration(kernel: files.kernel)
    configuration.cpuCount = cpuCount
    configuration.memorySize = memoryInMiB << 20

    let plan = try configuration.check()

    #expect(plan.cpus == cpuCount)
    #expect(plan.memory == memoryInMiB << 20)
    #expect(plan.gic == 3)
  }

  @Test func aPlanSaysWhereEverythingGoes() throws {
    let files = try Files()
    let initramfs = try files.folder.write("initrd", [UInt8](repeating: 7, count: 5000))
    var configuration = Configuration(kernel: files.kernel, initramfs: initramfs, commandLine: "quiet")
    configuration.memorySize = 64 << 20
    configuration.gic = .v2

    let plan = try configuration.check()

    #expect(plan.payload == files.kernel)
    #expect(plan.payloadKind == "Linux Image")
    #expect(plan.entry == 0x4000_0000)
    #expect(plan.commandLine == "quiet")
    #expect(plan.gic == 2)
    #expect(plan.initramfs?.size == 5000)
    let ram = GuestRange(at: 0x4000_0000, size: 64 << 20)
    #expect(ram.contains(GuestAddress(plan.deviceTree ?? 0)))
    #expect(ram.contains(GuestRange(at: plan.initramfs?.start ?? 0, size: 5000)))
    #expect(plan.memoryMap.map(\.name).last == "RAM")
  }

  @Test func eachMachineDrawsAnIdentityWhereTheConfigurationHasNoneAndKeepsIt() throws {
    let files = try Files()
    var configuration = Configuration(kernel: files.kernel)
    let (one, other) = (try Machine(configuration), try Machine(configuration))
    configuration.uuid = other.uuid
    let same = try Machine(configuration)

    #expect(one.uuid != other.uuid)
    #expect(one.plan.uuid == "\(one.uuid)" && one.plan.uuid == one.plan.uuid)
    #expect(one.configuration.uuid == nil)
    #expect(same.uuid == other.uuid)
  }

  @Test func aDeviceOnASharedPlatformNeedsOne() throws {
    let files = try Files()
    var configuration = Configuration(kernel: files.kernel)
    configuration.devices = [.init(.scmi(.shared(agent: "two")))]
    let definition = PlatformDefinition { $0.agents = [AgentDefinition("one"), AgentDefinition("two")] }
    let platform = SharedPlatform(try SCMIPlatform(definition)) { 0 }

    let plan = try Machine(configuration, platform: platform).plan

    #expect(plan.devices.first?.scmi?.agent == "two")
    #expect(mistakes(in: configuration).map(\.kind) == [.usage])
  }

  @Test(arguments: [false, true])
  func theKindOfPayloadIsTold(isRaw: Bool) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("program", elfExecutable())

    let plan = try Configuration(payload: isRaw ? .raw(path: path) : .kernel(path: path)).check()

    #expect(plan.payloadKind == (isRaw ? "raw binary" : "ELF executable"))
    #expect(plan.entry == 0x4008_0000)
  }

  @Test func aKernelThatNeedsMoreMemoryIsRefusedByName() throws {
    let folder = try TemporaryFolder()
    let kernel = try folder.write("Image", linuxImage(memorySize: 32 << 20))
    var configuration = Configuration(kernel: kernel)
    configuration.memorySize = 16 << 20

    let problem = try #require(mistakes(in: configuration).first)

    #expect(problem.kind == .badInput)
    #expect(problem.path == .property(.payload))
    #expect(problem.description.hasPrefix("payload: '\(kernel)' does not fit: it needs 32 MiB"))
    #expect(problem.description.hasSuffix("give the guest more memory"))
  }

  @Test func aDeviceTreeThatNoKernelTakesIsRefused() throws {
    let files = try Files()
    let definition = PlatformDefinition { platform in
      platform.agents = [AgentDefinition("a")]
      platform.tree.consumers = [
        ConsumerDefinition("x", .device) { device in
          device.compatible = ["a"]
          device.node.properties = [("p", .strings([String(repeating: "x", count: 2_100_000)]))]
        }
      ]
    }
    var configuration = Configuration(kernel: files.kernel)
    configuration.devices = [.init(.scmi(.shared()))]
    let platform = SharedPlatform(try SCMIPlatform(definition)) { 0 }

    let problem = try #require(mistakes(in: configuration, on: platform).first)
    let error = #expect(throws: ConfigurationError.self) { _ = try configuration.deviceTree(platform: platform) }

    #expect(problem.kind == .badInput)
    #expect(problem.description.hasPrefix("devices[0].scmi.source: the device tree has 21"))
    #expect(error?.problems == [problem])
  }

  @Test func filesThatCanBeWrittenAreLeftAsTheyAre() throws {
    let files = try Files()
    let old = try files.folder.write("old", [1, 2, 3])
    var configuration = Configuration(kernel: files.kernel)
    configuration.console = .file(path: old)
    configuration.deviceTreeDump = files.folder.path("new")

    _ = try configuration.check()

    #expect(try files.folder.names == ["Image", "old"])
    #expect(files.folder.read("old") == [1, 2, 3])
  }

  @Test func whatTheMachineNeedsOrWritesIsNoPlaceToWrite() throws {
    let files = try Files()
    let disk = try files.folder.write("disk", [UInt8](repeating: 1, count: 512))
    let link = files.folder.path("link")
    // SAFETY: the texts hold for the call.
    try #require(unsafe symlink(disk, link) == 0)
    let new = files.folder.path("new")
    let sameNew = files.folder.path("./new")
    var configuration = Configuration(kernel: files.kernel, initramfs: disk)
    configuration.devices = [
      .init(.block(.init(path: link))),
      Configuration.Device(
        .console(
          .init(
            carriesConsole: false,
            ports: [
              .init("a", .file(path: disk)), .init("b", .file(path: new)), .init("c", .file(path: sameNew)),
              .init("d", .file(path: "/dev/null")), .init("e", .file(path: "/dev/null")),
            ]
          )
        )
      ),
    ]
    configuration.deviceTreeDump = files.kernel

    let messages = mistakes(in: configuration).filter { $0.kind == .usage }.map(\.description)

    #expect(
      messages == [
        "deviceTreeDump: '\(files.kernel)' is the file of `payload`, too; name another one",
        "devices[1].console.ports[0].destination: '\(disk)' is the file of `initramfs`, too; name another one",
        "devices[1].console.ports[2].destination: '\(sameNew)' is the file of "
          + "`devices[1].console.ports[1].destination`, too; name another one",
      ]
    )
    #expect(configuration.use(ofFile: link) == .property(.initramfs))
    #expect(configuration.use(ofFile: sameNew) == .device(1, .console(.port(1, .destination))))
    #expect(configuration.use(ofFile: files.folder.path("report")) == nil)
  }

  @Test func oneImageUnderTwoNamesIsOneDiskUnlessBothOnlyRead() throws {
    let files = try Files()
    let disk = try files.folder.write("disk", [UInt8](repeating: 1, count: 512))
    let name = files.folder.path("name")
    // SAFETY: the texts hold for the call.
    try #require(unsafe Glibc.link(disk, name) == 0)
    var configuration = Configuration(kernel: files.kernel)
    let blocks = [disk, name].map { Configuration.Device.Block(path: $0) }
    let readOnly = blocks.map { block in
      var block = block
      block.isReadOnly = true
      return block
    }
    configuration.devices = [.init(.block(blocks[0])), .init(.block(readOnly[1]))]
    var readers = configuration
    readers.devices = readOnly.map { .init(.block($0)) }

    let problems = mistakes(in: configuration)

    #expect(problems.map(\.kind) == [.usage])
    #expect(problems.first?.path == .device(1, .block(.path)))
    #expect(problems.first?.description.contains("'\(name)' is another disk's, too") == true)
    #expect(mistakes(in: readers).isEmpty)
  }

  @Test func aRehearsalFindsADamageThatALookDoesNot() throws {
    let files = try Files()
    let initramfs = try files.folder.write("initrd", [1, 2, 3])
    var image = linuxImage()
    // The code starts with a branch 10 KiB further, behind the end of the file.
    image.put(UInt32(0x1400_0A00), at: 4)
    let cut = try files.folder.write("cut", image)

    #expect(throws: ConfigurationError.self) {
      let configuration = Configuration(kernel: cut, initramfs: initramfs)
      try Machine(configuration).rehearse()
    }
    try Machine(Configuration(kernel: files.kernel, initramfs: initramfs)).rehearse()
  }

  @Test(arguments: [1, 8, 512])
  func everythingIsLoadedToWhereThePlanHasItWithAsMuchInTheTreeAsThereCanBe(cpuCount: Int) throws {
    let files = try Files()
    let initramfs = try files.folder.write("initrd", [UInt8](repeating: 7, count: 5000))
    var configuration = Configuration(
      kernel: files.kernel,
      initramfs: initramfs,
      commandLine: String(repeating: "x", count: 2047)
    )
    configuration.name = String(repeating: "n", count: 64)
    configuration.cpuCount = cpuCount
    configuration.devices = (0..<32).map { index in
      var device = Configuration.Device(.entropy)
      device.window = "window-\(index % 16)-" + String(repeating: "w", count: 20)
      return device
    }
    configuration.dma = .confined(windowSize: 2 << 20)
    configuration.deviceTreeDump = files.folder.path("dtb")
    let (checked, inputs) = try configuration.checkAndOpen()
    let plan = checked.plan
    let ram = try PrivateRAM(range: checked.board.map.ram)
    let bootFiles = try inputs.bootFiles(of: configuration)
    let tree = configuration.plannedTree(checked.board, checked.uuid, bootFiles.overlays)
    let loader = BootLoader(files: bootFiles, tree: tree)

    let placement = try loader.loadFiles(into: ram)
    try loader.writeTree(of: checked.board.devices, placement, dump: configuration.deviceTreeDump, into: ram)

    #expect(placement.entry.rawValue == plan.entry)
    #expect(placement.deviceTree.start.rawValue == plan.deviceTree)
    #expect(try ram.read(at: placement.entry, count: 8192) == linuxImage())
    let initramfsStart = GuestAddress(plan.initramfs?.start ?? 0)
    #expect(try firstDifference(ram.read(at: initramfsStart, count: 5000), repeatElement(7, count: 5000)) == nil)
    let dump = try #require(files.folder.read("dtb"))
    #expect(try ram.read(at: placement.deviceTree.start, count: dump.count) == dump)
  }

  @Test func aKernelThatThisUserMayNotReadIsToldSo() async throws {
    let files = try Files()
    let kernel = try files.folder.write("secret", linuxImage(), permissions: 0)

    let problems = try asNobody { mistakes(in: Configuration(kernel: kernel)) }

    let reason = "'\(kernel)' cannot be read: permission denied; make it readable for this user"
    #expect(problems == [.init(.inputNotFound, .property(.payload), .init(reason))])
  }

  @Test func aFolderThatThisUserMayNotWriteToIsToldSo() throws {
    let files = try Files()
    let path = files.folder.path("dtb")

    let error = try asNobody { () -> OutputFileError? in
      do throws(OutputFileError) {
        try OutputFile.check(path: path)
        return nil
      } catch {
        return error
      }
    }

    #expect(error == OutputFileError(file: path, errno: EACCES))
  }

  @Test func aKVMThatThisUserMayNotOpenIsToldSo() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("kvm", [], permissions: 0)

    let survey = try asNobody { HostSurvey(kvmPath: path, triesPrograms: false) }

    #expect(!survey.isUsable)
    #expect(survey.findings.map(\.status) == [.missing])
    #expect(survey.findings[0].detail.hasPrefix("no permission to open \(path); join the group"))
  }
}

/// Runs `body` on a thread of its own that has the rights of a user without any; the process keeps its own.
func asNobody<Result: Sendable>(_ body: @escaping @Sendable () -> Result) throws -> Result {
  let result = Box<Result>()
  let thread = try HostThread(name: "nobody") {
    // The kernel's user for files is the thread's; the C library leaves it so, unlike the other ids.
    if geteuid() == 0 { ctest_use_files_as(65534) }
    result.value = body()
  }
  thread.join()
  return try #require(result.value)
}

/// What a thread leaves behind for whoever joins it.
private final class Box<Value>: @unchecked Sendable {
  // SAFETY: @unchecked: written by one thread, and read after it was joined.
  var value: Value?
}
