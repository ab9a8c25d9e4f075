import DeviceTree
import TestSupport
import Testing

/// A tree with two labels.
private func baseTree(_ labels: DeviceTreeWriter.Labels = .referable) throws -> [UInt8] {
  var tree = DeviceTreeWriter(labels: labels)
  tree.node("") { root in
    root.property("compatible", "test")
    root.node("bus", label: "bus") { bus in
      bus.property("status", "disabled")
      bus.node("clock", label: "clk", phandle: 7) { $0.property("#clock-cells", cells: [1]) }
    }
    root.symbols()
  }
  return try tree.finish()
}

/// What dtc makes of `&label { status = "okay"; added { clocks = <&clk 3>; nodes… }; };`.
private func overlay(
  label: String = "bus",
  path: String? = nil,
  clock: String = "clk",
  depth: Int = 0,
  hasFragment: Bool = true
) throws -> [UInt8] {
  var tree = DeviceTreeWriter()
  tree.node("") { root in
    guard hasFragment else { return root.property("compatible", "test") }
    root.node("fragment@0") { fragment in
      if let path { fragment.property("target-path", path) } else { fragment.property("target", cells: [.max]) }
      fragment.node("__overlay__") { overlay in
        overlay.property("status", "okay")
        overlay.node("added") { added in
          added.property("clocks", cells: [.max, 3])
          nest(depth, in: &added)
        }
      }
    }
    root.node("__fixups__") { fixups in
      if path == nil { fixups.property(label, "/fragment@0:target:0") }
      fixups.property(clock, "/fragment@0/__overlay__/added:clocks:0")
    }
  }
  return try tree.finish()
}

private func nest(_ depth: Int, in node: inout DeviceTreeWriter) {
  guard depth > 0 else { return }
  node.node("n") { nest(depth - 1, in: &$0) }
}

@Suite struct DeviceTreeOverlayTests {
  @Test func anOverlayByLabelChangesAndAddsWhatItSays() throws {
    let result = try DeviceTreeOverlay(overlay()).applied(to: baseTree())

    let text = try DeviceTreeSource.text(of: result)
    #expect(text.contains("\tbus: bus {\n"))
    #expect(text.contains("\t\tstatus = \"okay\";\n"))
    #expect(text.contains("\t\tadded {\n\t\t\tclocks = <&clk 0x3>;\n"))
    #expect(!text.contains("__symbols__"))
  }

  @Test func anOverlayByPathGoesThere() throws {
    let result = try DeviceTreeOverlay(overlay(path: "/bus/clock")).applied(to: baseTree())

    #expect(try DeviceTreeSource.text(of: result).contains("\t\t\tadded {\n\t\t\t\tclocks = <&clk 0x3>;\n"))
  }

  @Test func anOverlayTwiceAsLargeAsTheTreeFits() throws {
    let result = try DeviceTreeOverlay(overlay(depth: 60)).applied(to: baseTree())

    #expect(try DeviceTreeSource.text(of: result).contains("n {"))
  }

  @Test func anUnknownLabelIsNamedWithThoseThatThereAre() throws {
    let overlay = try DeviceTreeOverlay(overlay(label: "uart5", clock: "xtal"))

    let error = #expect(throws: DeviceTreeOverlayError.self) { try overlay.applied(to: baseTree()) }

    #expect(error == .unknownLabels(["uart5", "xtal"], known: ["bus", "clk"]))
    #expect(
      error?.description
        == "refers to &uart5, &xtal, and the machine's tree has no such label; it has &bus, &clk"
    )
  }

  @Test func aTreeWithoutLabelsHasNone() throws {
    let overlay = try DeviceTreeOverlay(overlay())

    #expect(throws: DeviceTreeOverlayError.unknownLabels(["bus", "clk"], known: [])) {
      try overlay.applied(to: baseTree(.dropped))
    }
  }

  @Test func anUnknownPathIsNamed() throws {
    let overlay = try DeviceTreeOverlay(overlay(path: "/soc"))

    #expect(throws: DeviceTreeOverlayError.unknownPath("/soc")) { try overlay.applied(to: baseTree()) }
  }

  /// An overlay whose node has a property of 8 bytes, with these fixups.
  private func overlayFixed(at fixup: String, local: [UInt8] = []) throws -> [UInt8] {
    var tree = DeviceTreeWriter()
    tree.node("") { root in
      root.node("fragment@0") { fragment in
        fragment.property("target-path", "/bus")
        fragment.node("__overlay__") { $0.property("clocks", cells: [.max, .max]) }
      }
      root.node("__fixups__") { $0.property("clk", fixup) }
      guard !local.isEmpty else { return }
      root.node("__local_fixups__") { fixups in
        fixups.node("fragment@0") { fragment in
          fragment.node("__overlay__") { $0.property("clocks", bytes: local) }
        }
      }
    }
    return try tree.finish()
  }

  @Test(arguments: [
    "/fragment@0/__overlay__:clocks:5", "/fragment@0/__overlay__:clocks:8", "/fragment@0/__overlay__:clocks:4294967292",
    "/fragment@0/__overlay__:clocks:18446744073709551612", "/fragment@0/__overlay__:clocks:-4",
    "/fragment@0/__overlay__:clocks: 4", "/fragment@0/__overlay__:clocks:", "/fragment@0/__overlay__:clocks",
    "/fragment@0/__overlay__:other:0", "/fragment@1/__overlay__:clocks:0", "fragment@0:target-path:0", "",
  ])
  func aFixupThatLeadsElsewhereIsRefusedBeforeLibfdtFollowsIt(fixup: String) throws {
    let bytes = try overlayFixed(at: fixup)

    #expect(throws: DeviceTreeOverlayError.badFixups) { try DeviceTreeOverlay(bytes) }
  }

  @Test(
    arguments: [[0, 0, 0, 5], [0x0A, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFC], [0, 0, 0, 0, 0, 0, 0, 8], [0, 0]] as [[UInt8]]
  )
  func aLocalFixupThatLeadsElsewhereIsRefusedBeforeLibfdtFollowsIt(local: [UInt8]) throws {
    let bytes = try overlayFixed(at: "/fragment@0/__overlay__:clocks:0", local: local)

    #expect(throws: DeviceTreeOverlayError.badFixups) { try DeviceTreeOverlay(bytes) }
  }

  @Test func fixupsAtTheEndOfAPropertyAreFollowed() throws {
    let bytes = try overlayFixed(at: "/fragment@0/__overlay__:clocks:4", local: [0, 0, 0, 4])

    #expect(throws: Never.self) { try DeviceTreeOverlay(bytes).applied(to: baseTree()) }
  }

  @Test func whatLibfdtRefusesIsToldInWords() throws {
    var tree = DeviceTreeWriter()
    tree.node("") { root in
      root.node("fragment@0") { fragment in
        fragment.property("target", cells: [0x1234])
        fragment.node("__overlay__") { _ in }
      }
    }
    let overlay = try DeviceTreeOverlay(try tree.finish())

    let error = #expect(throws: DeviceTreeOverlayError.self) { try overlay.applied(to: baseTree()) }

    #expect(error?.description.hasPrefix("cannot be applied: ") == true)
    #expect(error?.description.contains("FDT_ERR_") == true)
  }

  @Test func whatIsNoOverlayIsToldWhatToDo() throws {
    let whole = try overlay()
    let cases: [([UInt8], DeviceTreeOverlayError, String)] = [
      ([], .notABlob, "dtc -@"), ([UInt8](repeating: 9, count: 100), .notABlob, "dtc -@"),
      (Array("/dts-v1/;\n/plugin/;\n".utf8), .source, "compile it with dtc"),
      (Array(whole.prefix(6)), .truncated(size: 6, announced: .max), "within its header"),
      (
        Array(whole.dropLast()), .truncated(size: whole.count - 1, announced: UInt64(whole.count)),
        "should have \(whole.count)"
      ),
      (try overlay(hasFragment: false), .noOverlay, "/plugin/"),
      (try overlay(depth: 63), .tooDeep, "deeper than 64"),
      ([UInt8](repeating: 0, count: (1 << 20) + 1), .tooLarge(size: (1 << 20) + 1), "at most 1048576"),
    ]

    for (bytes, expected, words) in cases {
      let error = #expect(throws: DeviceTreeOverlayError.self) { try DeviceTreeOverlay(bytes) }
      #expect(error == expected)
      #expect(error?.description.contains(words) == true)
    }
  }

  @Test(arguments: ["\u{1B}]0;x\u{7}", "a b", "a{", "\u{E9}"])
  func aNameThatATerminalMightActUponIsRefused(name: String) throws {
    for isNode in [false, true] {
      var tree = DeviceTreeWriter()
      tree.node("") { root in
        root.node("fragment@0") { fragment in
          fragment.property("target-path", "/")
          fragment.node("__overlay__") { isNode ? $0.node(name) { _ in } : $0.property(name) }
        }
      }
      let bytes = try tree.finish()

      #expect(throws: DeviceTreeOverlayError.badName(name)) { try DeviceTreeOverlay(bytes) }
    }
  }

  /// libfdt's own check reads a null pointer over some of those.
  @Test(arguments: [0, 1, 15, 16, 18] as [UInt8])
  func aVersionOfTheFormatThatNobodyMakesIsRefused(version: UInt8) throws {
    var bytes = try overlay()
    bytes[23] = version

    let error = #expect(throws: DeviceTreeOverlayError.self) { try DeviceTreeOverlay(bytes) }

    #expect(error?.description.contains("FDT_ERR_BADVERSION") == true)
  }

  /// Deeper than a stack of 8 MiB is for a function that calls itself.
  @Test func nodesNestedWithoutEndAreRefusedBeforeLibfdtDescends() throws {
    var structure: [UInt8] = []
    for _ in 0..<80_000 { structure += [0, 0, 0, 1, 0, 0, 0, 0] }
    for _ in 0..<80_000 { structure += [0, 0, 0, 2] }
    structure += [0, 0, 0, 9]
    func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    let header = [0xD00D_FEED, 56 + structure.count, 56, 56 + structure.count, 40, 17, 16, 0, 0, structure.count]
    let blob = header.flatMap(word) + [UInt8](repeating: 0, count: 16) + structure

    #expect(throws: DeviceTreeOverlayError.tooDeep) { try DeviceTreeOverlay(blob) }
  }

  @Test func aDamagedOverlayIsAppliedOrRefusedWithoutACrash() throws {
    let good = try overlay(depth: 2)
    let tree = try baseTree()
    var random = SplitMix64(seed: 11)
    var outcomes = (applied: 0, refused: 0)
    for _ in 0..<Effort.cases(20_000) {
      var damaged = good
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        damaged[Int.random(in: 0..<good.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }

      do {
        let result = try DeviceTreeOverlay(damaged).applied(to: tree)
        #expect(try DeviceTreeSource.text(of: result).hasPrefix("/dts-v1/;"))
        outcomes.applied += 1
      } catch {
        outcomes.refused += 1
      }
    }

    #expect(outcomes.applied > 0 && outcomes.refused > 0)
  }

  @Test(.enabled(if: Program.dtc != nil, "dtc is not installed"))
  func whatDtcCompilesIsApplied() throws {
    let folder = try TemporaryFolder()
    let source = try folder.write(
      "o.dts",
      Array("/dts-v1/; /plugin/; &bus { new: extra { clocks = <&clk 9>; }; }; &clk { user = <&new>; };".utf8)
    )
    let compiled = folder.path("o.dtbo")
    let result = try Program(
      path: try #require(Program.dtc),
      ["-q", "-@", "-I", "dts", "-O", "dtb", "-o", compiled, source]
    ).run()
    #expect(result.status == 0, "\(result.error)")

    let blob = try DeviceTreeOverlay(try #require(folder.read("o.dtbo"))).applied(to: baseTree())

    let text = try DeviceTreeSource.text(of: blob)
    #expect(text.contains("new: extra {"))
    #expect(text.contains("clocks = <&clk 0x9>;"))
  }
}
