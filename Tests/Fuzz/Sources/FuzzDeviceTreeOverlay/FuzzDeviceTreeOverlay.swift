internal import DeviceTree
internal import FuzzSupport

// The input is an overlay's file. libfdt gets it where it passes for a whole one, and what comes out is a whole tree.

private let tree = makeTree()

private func makeTree() -> [UInt8] {
  var tree = DeviceTreeWriter(labels: .referable)
  tree.node("") { root in
    root.property("compatible", "test")
    root.node("bus", label: "bus") { bus in
      bus.property("status", "disabled")
      bus.node("clock", label: "clk", phandle: 7) { $0.property("#clock-cells", cells: [1]) }
    }
    root.symbols()
  }
  do {
    return try tree.finish()
  } catch {
    fatalError("the fuzzer has no tree: \(error)")
  }
}

private func fuzzOverlay(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  do throws(DeviceTreeOverlayError) {
    let result = try DeviceTreeOverlay(input.bytes(count)).applied(to: tree)
    do {
      _ = try DeviceTreeSource.text(of: result)
    } catch {
      preconditionFailure("a tree with an overlay is a whole tree: \(error)")
    }
  } catch {
    precondition(!error.description.isEmpty, "every error has words")
  }
  return 0
}

@main
private enum FuzzDeviceTreeOverlay {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzOverlay)
  }
}
