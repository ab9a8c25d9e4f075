import TestSupport
import Testing

/// Where dtc is on machines that have it.
private let dtc = ["/usr/bin/dtc", "/usr/local/bin/dtc"].first {
  (try? Program(path: $0, ["--version"]).run())?.status == 0
}

@Suite struct DeviceTreeCommandTests {
  /// The repository's file, where this machine has it.
  private static let platform: String? = {
    let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let path = "\(folder)/Documentation/Examples/scmi-platform.json"
    return readText(path) == nil ? nil : path
  }()

  @Test(
    .enabled(if: dtc != nil && platform != nil, "dtc or the repository is not on this machine"),
    arguments: [[], ["-@"]],
    [["--gic", "2"], ["--gic", "3"]]
  )
  func dtcHasNothingToSayAboutTheTextOfATree(symbols: [String], gic: [String]) throws {
    let platform = try #require(Self.platform)
    let folder = try TemporaryFolder()
    let tree = try apus(
      ["devicetree", "--cpus", "2", "--entropy", "--scmi", "\(platform),agent=owner", "--output", folder.path("t.dts")]
        + gic
    )
    #expect(tree.status == 0, "\(tree.error)")

    let result = try Program(
      path: try #require(dtc),
      symbols + ["-I", "dts", "-O", "dtb", "-o", folder.path("t.dtb"), folder.path("t.dts")]
    ).run()

    #expect(result.status == 0)
    #expect(result.error == "")
  }

  @Test(.enabled(if: dtc != nil, "dtc is not installed"))
  func anOverlayThatDtcCompiledIsInTheTreeThatIsPrinted() throws {
    let folder = try TemporaryFolder()
    let source = try folder.write(
      "o.dts",
      Array("/dts-v1/; /plugin/; &{/} { probe { compatible = \"test,probe\"; clocks = <&apb_pclk>; }; };".utf8)
    )
    let overlay = folder.path("o.dtbo")
    let compiled = try Program(path: try #require(dtc), ["-I", "dts", "-O", "dtb", "-o", overlay, source]).run()
    #expect(compiled.status == 0, "\(compiled.error)")

    let more = try folder.write(
      "m.dts",
      Array("/dts-v1/; /plugin/; &{/probe} { second; };".utf8)
    )
    let second = folder.path("m.dtbo")
    _ = try Program(path: try #require(dtc), ["-I", "dts", "-O", "dtb", "-o", second, more]).run()

    let result = try apus(["devicetree", "--dtb-overlay", overlay, "--dtb-overlay", second])

    #expect(result.status == 0)
    let probe = result.output.split(separator: "\tprobe {\n").last?.split(separator: "}").first ?? ""
    for line in ["compatible = \"test,probe\";", "clocks = <&apb_pclk>;", "second;"] {
      #expect(probe.contains("\t\t\(line)\n"), "\(line)")
    }

    let unknown = try folder.write(
      "u.dts",
      Array("/dts-v1/; /plugin/; &i2c3 { status = \"okay\"; };".utf8)
    )
    _ = try Program(path: try #require(dtc), ["-I", "dts", "-O", "dtb", "-o", overlay, unknown]).run()
    let kernel = try folder.write("Image", linuxImage())
    let refused = try apus(["run", "--dry-run", "--kernel", kernel, "--dtb-overlay", overlay])
    expectRefusal(
      refused,
      status: 65,
      "o.dtbo' refers to &i2c3, and the machine's tree has no such label",
      "&gic",
      "&uart"
    )
  }

  @Test func anOverlayThatIsNoneIsToldWhatToDo() throws {
    let folder = try TemporaryFolder()
    let source = try folder.write("o.dts", Array("/dts-v1/;\n/plugin/;\n".utf8))
    let tree = folder.path("tree.dtb")
    #expect(try apus(["devicetree", "--format", "dtb", "--output", tree]).status == 0)

    expectRefusal(
      try apus(["devicetree", "--dtb-overlay", source]),
      status: 65,
      "--dtb-overlay: ",
      "compile it with dtc -@"
    )
    expectRefusal(try apus(["devicetree", "--dtb-overlay", tree]), status: 65, "a whole device tree and no overlay")
    expectRefusal(
      try apus(["devicetree", "--dtb-overlay", "/nonexistent"]),
      status: 66,
      "'/nonexistent' cannot be read"
    )
  }

  @Test func anOutputMayNotBeAnOverlay() throws {
    let folder = try TemporaryFolder()
    let kernel = try folder.write("Image", linuxImage())
    let overlay = try folder.write("o.dtbo", [1])

    let result = try apus(["run", "--dry-run", "--kernel", kernel, "--dtb-overlay", overlay, "--dump-dtb", overlay])

    expectRefusal(result, status: 64, "is the file of --dtb-overlay, too")
  }
}
