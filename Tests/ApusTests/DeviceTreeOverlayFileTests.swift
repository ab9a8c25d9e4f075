import DeviceTree
import TestSupport
import Testing

@testable import Apus

/// An overlay that adds a node `probe` with `bytes` to the serial port by its label, or to what `path` names.
private func overlay(path: String? = nil, bytes: Int = 4) throws -> [UInt8] {
  var tree = DeviceTreeWriter()
  tree.node("") { root in
    root.node("fragment@0") { fragment in
      if let path { fragment.property("target-path", path) } else { fragment.property("target", cells: [.max]) }
      fragment.node("__overlay__") { overlay in
        overlay.node("probe") { $0.property("data", bytes: [UInt8](repeating: 0xA5, count: bytes)) }
      }
    }
    if path == nil { root.node("__fixups__") { $0.property("uart", "/fragment@0:target:0") } }
  }
  return try tree.finish()
}

@Suite struct DeviceTreeOverlayFileTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private func configuration(_ overlays: [[UInt8]]) throws -> Configuration {
    var configuration = Configuration(kernel: "")
    for (index, bytes) in overlays.enumerated() {
      configuration.deviceTreeOverlays.append(try folder.write("\(index).dtbo", bytes))
    }
    return configuration
  }

  @Test func overlaysAreAppliedInOrderAndTheirNodesAreInTheTree() throws {
    let configuration = try configuration([overlay(), overlay(path: "/serial@9000000/probe", bytes: 8)])

    let text = try configuration.deviceTreeSource()

    #expect(
      text.contains("\t\tprobe {\n\t\t\tdata = <0xa5a5a5a5>;\n\n\t\t\tprobe {\n\t\t\t\tdata = <0xa5a5a5a5 0xa5a5a5a5>;")
    )
  }

  @Test func aMachineWithoutOverlaysHasNoSymbols() throws {
    #expect(!(try Configuration(kernel: "").deviceTree().contains(Array("__symbols__".utf8))))
  }

  @Test func everyLabelOfTheTreeCanBeReferredTo() throws {
    var configuration = try configuration([])
    configuration.cpuCount = 2
    configuration.devices = [.init(.entropy)]
    let text = try configuration.deviceTreeSource()
    let labels = text.split(separator: "\n").filter { $0.hasSuffix("{") }.compactMap { line in
      line.split(separator: ":").first.flatMap { $0.contains("{") ? nil : $0.drop { $0 == "\t" } }
    }

    #expect(
      labels == [
        "chosen", "dma_default", "cpus", "cpu0", "cpu1", "psci", "gic", "timer", "pmu", "apb_pclk", "uart", "rtc",
        "pvpanic", "vmgenid", "virtio0",
      ]
    )
    for label in labels {
      var tree = DeviceTreeWriter()
      tree.node("") { root in
        root.node("fragment@0") { fragment in
          fragment.property("target-path", "/")
          fragment.node("__overlay__") { $0.node("refers") { $0.property("to", cells: [.max]) } }
        }
        root.node("__fixups__") { $0.property(String(label), "/fragment@0/__overlay__/refers:to:0") }
      }
      configuration.deviceTreeOverlays = [try folder.write("\(label).dtbo", try tree.finish())]
      #expect(throws: Never.self) { try configuration.deviceTree() }
    }
  }

  @Test func aFileThatIsNotThereIsAnInputThatIsNotFound() {
    var configuration = Configuration(kernel: "")
    configuration.deviceTreeOverlays = ["/nonexistent.dtbo"]

    let error = #expect(throws: ConfigurationError.self) { try configuration.deviceTree() }

    #expect(error?.exitStatus == 66)
    #expect(error?.description.hasPrefix("deviceTreeOverlays[0]: '/nonexistent.dtbo' cannot be read") == true)
  }

  @Test func anOverlayThatDoesNotFitTheTreeIsABadInputOfADryRunToo() throws {
    let kernel = try folder.write("Image", linuxImage())
    var configuration = Configuration(kernel: kernel)
    configuration.deviceTreeOverlays = [try folder.write("o.dtbo", overlay(path: "/soc"))]

    let error = #expect(throws: ConfigurationError.self) { try configuration.check() }

    #expect(error?.exitStatus == 65)
    #expect(error?.description.contains("o.dtbo' goes to '/soc', where the machine's tree has no node") == true)
  }

  @Test func theTreeIsPlacedWithWhatOverlaysAddAndItsSizeIsKept() throws {
    let kernel = try folder.write("Image", linuxImage())
    var configuration = Configuration(kernel: kernel)
    configuration.deviceTreeOverlays = [try folder.write("o.dtbo", overlay(bytes: 700_000))]

    let plan = try configuration.check()

    #expect(plan.deviceTreeOverlays == configuration.deviceTreeOverlays)
    #expect(plan.unmapped == "fault")
  }

  @Test func aTreeThatOverlaysMakeTooLargeForAHeaderlessBinaryIsRefused() throws {
    let program = try folder.write("program.bin", [1, 2, 3, 4])
    var configuration = Configuration(payload: .raw(path: program))
    configuration.deviceTreeOverlays = [try folder.write("o.dtbo", overlay(bytes: 500_000))]
    #expect(try configuration.check().deviceTree == 0x4000_0000)

    configuration.deviceTreeOverlays.append(try folder.write("p.dtbo", overlay(path: "/chosen", bytes: 30_000)))
    let error = #expect(throws: ConfigurationError.self) { try configuration.check() }

    #expect(error?.exitStatus == 65)
    #expect(error?.description.contains("has 512 KiB before it in RAM for its device tree") == true)
  }

  @Test func aTreeOfMoreThanTwoMebibytesIsRefused() throws {
    let parts = try (0..<3).map { try overlay(path: ["/chosen", "/cpus", "/psci"][$0], bytes: 900_000) }
    let configuration = try configuration(parts)

    let error = #expect(throws: ConfigurationError.self) { try configuration.deviceTree() }

    #expect(error?.exitStatus == 65)
    #expect(error?.description.contains("2.dtbo' makes the device tree") == true)
  }
}
