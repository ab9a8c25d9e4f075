import DeviceTree
import TestSupport
import Testing

/// The text of a tree whose root is filled by `body`.
private func text(_ body: (inout DeviceTreeWriter) -> Void) throws -> String {
  try DeviceTreeSource.text(of: try blob(body))
}

private func blob(_ body: (inout DeviceTreeWriter) -> Void) throws -> [UInt8] {
  var tree = DeviceTreeWriter()
  tree.node("", body)
  return try tree.finish()
}

/// Every kind of property and node.
private func fill(_ root: inout DeviceTreeWriter) {
  root.property("model", "a \"quoted\" \\ model")
  root.property("compatible", strings: ["a", "b,c"])
  root.property("#address-cells", cells: [2])
  root.property("wide", wide: [0x1_0000_0002])
  root.property("bytes", bytes: [1, 2, 0xFF])
  root.property("empty")
  root.property("no-text", "")
  root.property("zeros", cells: [0, 0])
  root.node("first") { first in
    first.property("reg", cells: [1])
    first.node("inner@1") { $0.property("flag") }
  }
  root.node("second") { _ in }
}

extension Program {
  /// Where dtc is on machines that have it.
  static let dtc = ["/usr/bin/dtc", "/usr/local/bin/dtc"].first {
    (try? Program(path: $0, ["--version"]).run())?.status == 0
  }
}

@Suite struct DeviceTreeSourceTests {
  @Test func everyKindOfPropertyIsWrittenAsDtcWritesIt() throws {
    let text = try text(fill)

    #expect(
      text == """
        /dts-v1/;

        / {
        \tmodel = "a \\"quoted\\" \\\\ model";
        \tcompatible = "a", "b,c";
        \t#address-cells = <0x2>;
        \twide = <0x1 0x2>;
        \tbytes = [01 02 ff];
        \tempty;
        \tno-text = "";
        \tzeros = <0x0 0x0>;

        \tfirst {
        \t\treg = <0x1>;

        \t\tinner@1 {
        \t\t\tflag;
        \t\t};
        \t};

        \tsecond {
        \t};
        };

        """
    )
  }

  /// Properties that name nodes: by label, by path, with cells behind them, and with numbers that no node has.
  private static func fillReferences(_ root: inout DeviceTreeWriter) {
    root.property("interrupt-parent", cells: [1])
    root.node("gic", label: "gic", phandle: 1) { gic in
      gic.property("interrupt-controller")
      gic.property("#interrupt-cells", cells: [3])
    }
    root.node("clock", phandle: 2) { $0.property("#clock-cells", cells: [1]) }
    root.node("plain", label: "osc", phandle: 3) { $0.property("#clock-cells", cells: [0]) }
    root.node("user") { user in
      user.property("clocks", cells: [2, 5, 3])
      user.property("assigned-clock-parents", cells: [0, 2, 1])
      user.property("vout-supply", cells: [3])
      user.property("resets", cells: [9, 0])
    }
    root.symbols()
  }

  @Test func propertiesThatNameNodesAreWrittenWithTheirLabelsOrPaths() throws {
    var tree = DeviceTreeWriter(labels: .written)
    tree.node("", Self.fillReferences)

    let text = try DeviceTreeSource.text(of: try tree.finish())

    #expect(
      text == """
        /dts-v1/;

        / {
        \tinterrupt-parent = <&gic>;

        \tgic: gic {
        \t\tphandle = <0x1>;
        \t\tinterrupt-controller;
        \t\t#interrupt-cells = <0x3>;
        \t};

        \tclock {
        \t\tphandle = <0x2>;
        \t\t#clock-cells = <0x1>;
        \t};

        \tosc: plain {
        \t\tphandle = <0x3>;
        \t\t#clock-cells = <0x0>;
        \t};

        \tuser {
        \t\tclocks = <&{/clock} 0x5 &osc>;
        \t\tassigned-clock-parents = <0x0 &{/clock} 0x1>;
        \t\tvout-supply = <&osc>;
        \t\tresets = <0x9 0x0>;
        \t};
        };

        """
    )
  }

  @Test(.enabled(if: Program.dtc != nil, "dtc is not installed"))
  func labelsAndReferencesAreTheSameTreeToDtcWithItsSymbols() throws {
    let folder = try TemporaryFolder()
    var tree = DeviceTreeWriter(labels: .written)
    tree.node("", Self.fillReferences)
    let blob = try tree.finish()
    let source = try folder.write("tree.dts", Array(try DeviceTreeSource.text(of: blob).utf8))

    let result = try Program(
      path: try #require(Program.dtc),
      ["-q", "-@", "-I", "dts", "-O", "dtb", "-o", folder.path("tree.dtb"), source]
    ).run()

    #expect(result.status == 0, "\(result.error)")
    let again = try #require(folder.read("tree.dtb"))
    #expect(try DeviceTreeSource.text(of: again) == DeviceTreeSource.text(of: blob))
    #expect(again.contains(Array("__symbols__".utf8)))
  }

  @Test(arguments: ["1st", "a-b", "gic\u{E9}"])
  func symbolsThatAreNoLabelsAreWrittenAsTheyAre(symbol: String) throws {
    let text = try text { root in
      root.node("gic") { _ in }
      root.node("__symbols__") { $0.property(symbol, "/gic") }
    }

    #expect(text.contains("__symbols__ {"))
    #expect(text.contains("\tgic {"))
  }

  @Test(.enabled(if: Program.dtc != nil, "dtc is not installed"))
  func whatIsWrittenIsTheSameTreeToDtc() throws {
    let folder = try TemporaryFolder()
    let blob = try blob(fill)
    let source = try folder.write("tree.dts", Array(try DeviceTreeSource.text(of: blob).utf8))
    let program = Program(
      path: try #require(Program.dtc),
      ["-q", "-I", "dts", "-O", "dtb", "-o", folder.path("tree.dtb"), source]
    )

    let result = try program.run()

    #expect(result.status == 0, "\(result.error)")
    let again = try #require(folder.read("tree.dtb"))
    #expect(try DeviceTreeSource.text(of: again) == DeviceTreeSource.text(of: blob))
  }

  @Test func reservationsAreWritten() throws {
    var tree = DeviceTreeWriter(reservations: [(address: 0x4000_0000, size: 0x1000)])
    tree.node("") { _ in }

    let text = try DeviceTreeSource.text(of: try tree.finish())

    #expect(text.hasPrefix("/dts-v1/;\n\n/memreserve/\t0x0000000040000000 0x0000000000001000;\n/ {\n"))
  }

  @Test(arguments: [[], [0xD0], [0xD0, 0x0D, 0xFE, 0xED], [UInt8](repeating: 0, count: 64)] as [[UInt8]])
  func whatIsNoBlobIsAnError(bytes: [UInt8]) {
    let error = #expect(throws: DeviceTreeError.self) { try DeviceTreeSource.text(of: bytes) }

    #expect(error?.reason.hasPrefix("FDT_ERR_") == true)
    #expect(error?.description.contains("read") == true)
  }

  @Test func aBlobThatIsCutIsAnErrorWhereverItIsCut() throws {
    let blob = try blob(fill)

    for count in 0..<blob.count {
      #expect(throws: DeviceTreeError.self) { try DeviceTreeSource.text(of: Array(blob.prefix(count))) }
    }
  }

  @Test func aDamagedBlobIsReadOrRefusedWithoutACrash() throws {
    let blob = try blob(fill)
    var random = SplitMix64(seed: 5)
    var refused = 0
    for _ in 0..<Effort.cases(20_000) {
      var damaged = blob
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        damaged[Int.random(in: 0..<blob.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }

      do {
        #expect(try DeviceTreeSource.text(of: damaged).hasPrefix("/dts-v1/;"))
      } catch {
        refused += 1
      }
    }

    #expect(refused > Effort.cases(10_000))
  }
}
