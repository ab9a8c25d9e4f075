import TestSupport
import Testing

/// Commands that print, with the streams that they need.
private let printing: [[String]] = [
  ["devicetree"], ["devicetree", "--format", "dtb"], ["doctor", "--kvm", "/nonexistent/kvm"],
]

@Suite struct OutputTests {
  @Test(arguments: [[], ["run"], ["devicetree"], ["doctor"]])
  func theHelpOfEachCommandHasExamples(command: [String]) throws {
    let result = try apus(command + ["--help"])

    #expect(result.status == 0)
    #expect(result.error.isEmpty)
    #expect(result.output.contains("Examples:\n  apus "))
    // An example that is broken into two lines cannot be pasted.
    let examples = result.output.split(separator: "\n").filter { $0.hasPrefix("  apus ") }
    #expect(examples.count >= 2)
    #expect(!result.output.contains("\n--"))
    #expect(!result.output.contains("--kvm"))
  }

  @Test func theHelpOfRunHasEveryExitStatus() throws {
    let help = try apus(["run", "--help"]).output

    for status in ["0", "64", "65", "66", "71", "73", "80", "81", "82", "124", "128 + N"] {
      #expect(help.contains("\n  \(status) "), "\(status)")
    }
  }

  @Test func theVersionIsPrinted() throws {
    let result = try apus(["--version"])

    #expect(result.status == 0)
    #expect(result.output.split(separator: ".").count == 3)
  }

  @Test func aDryRunPrintsThePlanAsJSON() throws {
    let kernel = try TemporaryFile(linuxImage())

    let result = try apus([
      "run", "--dry-run", "--kernel", kernel.path, "--initrd", kernel.path, "--cpus", "4", "--memory", "1G", "--name",
      "n",
      "--uuid", "123e4567-e89b-42d3-a456-426614174000",
    ])

    let plan = try #require(jsonObject(result.output))
    #expect(result.status == 0)
    #expect(result.error.isEmpty)
    #expect(plan["name"] == .text("n"))
    #expect(plan["uuid"] == .text("123e4567-e89b-42d3-a456-426614174000"))
    #expect(plan["cpus"] == .number(4))
    #expect(plan["memory"] == .number(1_073_741_824))
    #expect(plan["gic"] == .number(3))
    #expect(plan["payload"] == .text(kernel.path))
    #expect(plan["payloadKind"] == .text("Linux Image"))
    #expect(plan["entry"] == .number(0x4000_0000))
    #expect(plan["commandLine"] == .text(""))
    for key in ["deviceTree", "initramfs", "memoryMap"] { #expect(plan[key] != nil, "\(key)") }
  }

  @Test func aDryRunTellsOfTheDevices() throws {
    let kernel = try TemporaryFile(linuxImage())
    let disk = try kernel.folder.write("disk", [UInt8](repeating: 0, count: 1024))
    let platform = try kernel.folder.write("platform", Array(#"{"agents": [{"name": "one"}]}"#.utf8))

    let result = try apus([
      "run", "--dry-run", "--kernel", kernel.path, "--block", "\(disk),readonly,serial=s,queues=2,window=data",
      "--entropy", "--network", "tap=tap7,mtu=1400,mac=02:00:00:00:00:07", "--scmi", platform,
      "--console", "virtio,none", "--port", "a=file=\(kernel.folder.path("port"))",
    ])

    let plan = try #require(jsonObject(result.output), "\(result.error)")
    func list(_ value: JSONValue?) -> [JSONValue] { if case .list(let list) = value { list } else { [] } }
    let devices = list(plan["devices"]).map { value in
      if case .object(let device) = value { device } else { [String: JSONValue]() }
    }
    try #require(devices.count == 5)
    #expect(devices.map { $0["type"] } == ["block", "entropy", "network", "scmi", "console"].map { .text($0) })
    #expect(devices.map { $0["name"] } == ["block0", "entropy1", "network2", "scmi3", "console4"].map { .text($0) })
    #expect(devices.map { $0["slot"] } == (0..<5).map { .number(Double($0)) })
    #expect(devices.map { $0["interrupt"] } == (16..<21).map { .number(Double($0)) })
    #expect(
      devices[0]["block"]
        == .object(["path": .text(disk), "readOnly": .flag(true), "serial": .text("s"), "queues": .number(2)])
    )
    #expect(
      devices[2]["network"]
        == .object(["connection": .text("tap=tap7"), "mac": .text("02:00:00:00:00:07"), "mtu": .number(1400)])
    )
    #expect(devices[3]["scmi"] == .object(["agent": .text("one")]))
    let ports = JSONValue.list([.text("a=file=\(kernel.folder.path("port"))")])
    #expect(devices[4]["console"] == .object(["carriesConsole": .flag(true), "ports": ports]))
    #expect(plan["console"] == .text("none"))
    #expect(plan["dma"] == .text("confined"))
    // Two windows, each where the memory map has it; the first registers are the first slot's.
    func place(_ value: JSONValue?, _ key: String) -> JSONValue? {
      if case .object(let region) = value { region[key] } else { nil }
    }
    let windows = list(plan["memoryMap"]).filter { place($0, "name") == .text("DMA window") }.compactMap {
      place($0, "start")
    }
    #expect(windows.count == 2)
    #expect(place(devices[0]["window"], "name") == .text("data"))
    #expect(place(devices[0]["window"], "start") == windows[0])
    for device in devices.dropFirst() { #expect(place(device["window"], "start") == windows[1]) }
    #expect(place(devices[0]["registers"], "start") == .number(0x0A00_0000))
    #expect(place(devices[4]["registers"], "start") == .number(0x0A00_0800))
  }

  @Test func whatARunWouldRefuseToMakeADryRunRefusesToo() throws {
    let kernel = try TemporaryFile(linuxImage())
    let folder = kernel.folder

    let result = try shell(
      """
      cd \(folder.path); ln -s / link; ln -s nowhere stale; touch other
      for words in '--port a=unix=missing/s' '--port a=unix=other' '--console pty=link' '--console pty=missing/l' \
        '--port a=unix=s --port b=unix=./s' '--console pty=stale --port a=unix=stale' '--console pty=stale' \
        '--port a=unix=s' '--report x --port a=file=x'; do
        apus run --dry-run --kernel input $words >/dev/null; echo $?
      done
      ls
      """
    )

    #expect(result.output == "73\n73\n73\n73\n64\n64\n0\n0\n64\ninput\nlink\nother\nstale\n", "\(result.error)")
  }

  @Test func theDeviceTreeIsPrintedAsText() throws {
    let result = try apus(["devicetree", "--cpus", "2", "--append", "quiet"])

    #expect(result.status == 0)
    #expect(result.error.isEmpty)
    #expect(result.output.hasPrefix("/dts-v1/;\n"))
    #expect(result.output.contains("cpu@1 {"))
    #expect(result.output.contains("bootargs = \"quiet\";"))
  }

  @Test(arguments: ["dts", "dtb"])
  func theDeviceTreeGoesToAFile(format: String) throws {
    let folder = try TemporaryFolder()

    let result = try apus(["devicetree", "--format", format, "--output", folder.path("tree")])

    let start: [UInt8] = format == "dtb" ? [0xD0, 0x0D, 0xFE, 0xED] : Array("/dts".utf8)
    #expect(result.status == 0)
    #expect(result.output.isEmpty)
    #expect(folder.read("tree")?.prefix(4) == start[...])
  }

  @Test func aDeviceTreeThatCannotBeWrittenIsNamed() throws {
    let result = try apus(["devicetree", "--output", "/nonexistent/tree"])

    expectRefusal(result, status: 73, "cannot write '/nonexistent/tree'", "name a file in a folder that exists")
  }

  @Test(arguments: [(["--cpus", "0"], "--cpus takes 1 or more"), (["--format", "xml"], "'dts' and 'dtb'")])
  func aDeviceTreeOfNoMachineIsBadUsage(arguments: [String], message: String) throws {
    expectRefusal(try apus(["devicetree"] + arguments), status: 64, message)
  }

  @Test(arguments: [["--block"], ["--scmi"], ["--dtb-overlay"]])
  func aDeviceTreeIsWrittenOverNoFileThatItIsMadeOf(option: [String]) throws {
    let content = [UInt8](repeating: 7, count: 1 << 20)
    let folder = try TemporaryFolder()
    let path = try folder.write("input", content)

    let result = try apus(["devicetree"] + option + [path, "--output", path])

    expectRefusal(result, status: 64, "--output: '\(path)' is the file of \(option[0]), too; name another one")
    #expect(folder.read("input") == content)
  }

  @Test(arguments: printing.indices)
  func aClosedStandardOutputIsAnErrorAndNotSilence(index: Int) throws {
    let result = try apus(printing[index], closed: [.output])

    #expect(result.status == 73)
    #expect(result.error.contains("cannot write standard output"))
  }

  @Test(arguments: printing.indices)
  func aReaderThatHasGoneIsNoMistake(index: Int) throws {
    let read = try apus(printing[index])

    let unread = try apusWithoutReader(printing[index])

    #expect(unread.error == read.error + "\(read.status)\n")
  }

  @Test(arguments: printing.indices)
  func aStandardOutputWithoutRoomIsAnError(index: Int) throws {
    let result = try apus(printing[index], outputPath: "/dev/full")

    #expect(result.status == 73)
    #expect(result.error.contains("cannot write standard output: No space left on device"))
  }

  @Test func aDryRunWithAClosedStandardOutputIsAnError() throws {
    let kernel = try TemporaryFile(linuxImage())

    let result = try apus(["run", "--dry-run", "--kernel", kernel.path], closed: [.output])

    #expect(result.status == 73)
    #expect(result.error.contains("cannot write standard output"))
  }

  @Test func closedInputAndErrorChangeNothing() throws {
    let open = try apus(["devicetree", "--uuid", "123e4567-e89b-42d3-a456-426614174000"])

    let closed = try apus(
      ["devicetree", "--uuid", "123e4567-e89b-42d3-a456-426614174000"],
      closed: [.input, .error]
    )

    // The seeds are random.
    let lines = { (text: String) in text.split(separator: "\n").filter { !$0.contains("-seed") } }
    #expect(closed.status == 0)
    #expect(lines(closed.output) == lines(open.output))
  }

  @Test func aMistakeHasItsStatusEvenWhereNobodyCanBeTold() throws {
    #expect(try apus(["run", "--kernel", "/nonexistent/Image"], closed: [.input, .output, .error]).status == 66)
  }

  @Test func noFileGetsTheNumberOfAClosedStream() throws {
    let folder = try TemporaryFolder()

    let result = try apus(
      ["devicetree", "--format", "dtb", "--output", folder.path("tree")],
      closed: [.input, .output, .error]
    )

    #expect(result.status == 0)
    #expect(folder.read("tree")?.prefix(4) == [0xD0, 0x0D, 0xFE, 0xED])
  }
}
