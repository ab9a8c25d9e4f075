internal import CFDT

/// Which numbers of a blob stand for nodes, so that its text can name them.
///
/// A blob has numbers only. That one of them is a phandle is known by the property's name (Devicetree Specification
/// 0.4, 2.4, and the common bindings), and how many cells of what kind follow it by the node that it names.
struct DeviceTreeReferences {
  private var pathOfHandle: [UInt32: String] = [:]
  /// `#clock-cells` and the like, by path and name.
  private var cellCounts: [String: [String: Int]] = [:]
  private var labels: [String: [String]] = [:]
  private var paths: Set<String> = []
  private var symbols: [(label: String, path: String)] = []

  static let symbolsPath = "/__symbols__"

  /// Properties whose name says it all, with what the named node says about the cells that follow: nil for none.
  private static let wholeNames: [String: String?] = [
    "interrupt-parent": nil, "memory-region": nil, "trip": nil, "next-level-cache": nil, "operating-points-v2": nil,
    "clocks": "#clock-cells", "assigned-clocks": "#clock-cells", "assigned-clock-parents": "#clock-cells",
    "power-domains": "#power-domain-cells", "resets": "#reset-cells", "thermal-sensors": "#thermal-sensor-cells",
    "cooling-device": "#cooling-cells", "interrupts-extended": "#interrupt-cells", "iommus": "#iommu-cells",
    "dmas": "#dma-cells", "phys": "#phy-cells", "pwms": "#pwm-cells", "mboxes": "#mbox-cells",
    "io-channels": "#io-channel-cells", "gpios": "#gpio-cells",
  ]

  /// For a name that is a phandle property's: the `#…-cells` that count what follows, "" for nothing.
  private static func cellsProperty(_ name: String) -> String? {
    if let cells = wholeNames[name] { return cells ?? "" }
    if name.hasSuffix("-supply") { return "" }
    if name.hasPrefix("pinctrl-"), name.dropFirst(8).allSatisfy(\.isNumber), name.utf8.count > 8 { return "" }
    if name.hasSuffix("-gpios") || name.hasSuffix("-gpio") { return "#gpio-cells" }
    return nil
  }

  /// Looks at every node and property once.
  ///
  /// - Precondition: libfdt has checked the whole blob.
  @unsafe
  init(_ tree: UnsafeRawPointer?) {
    // SAFETY: the caller has had the whole blob checked.
    unsafe collect(tree)
    takeLabels()
  }

  @unsafe
  private mutating func collect(_ tree: UnsafeRawPointer?) {
    var offset: Int32 = 0
    var open: [String] = []
    var path = ""
    while true {
      var next: Int32 = 0
      // SAFETY: the caller has had the whole blob checked, so every offset that libfdt returns lies in it.
      switch UInt32(unsafe fdt_next_tag(tree, offset, &next)) {
      case UInt32(FDT_BEGIN_NODE):
        open.append(unsafe fdt_get_name(tree, offset, nil).map { unsafe String(cString: $0) } ?? "")
        path = open.count == 1 ? "/" : open.joined(separator: "/")
        paths.insert(path)
      case UInt32(FDT_END_NODE): _ = open.popLast()
      case UInt32(FDT_PROP):
        var name: UnsafePointer<CChar>?
        var size: Int32 = 0
        guard let value = unsafe fdt_getprop_by_offset(tree, offset, &name, &size), let name = unsafe name, size >= 0
        else { break }
        let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: value, count: Int(size)))
        note(unsafe String(cString: name), bytes, of: path)
      case UInt32(FDT_END): return
      default: break
      }
      guard next > 0 else { return }
      offset = next
    }
  }

  private mutating func note(_ name: String, _ bytes: [UInt8], of path: String) {
    if path == Self.symbolsPath { symbols.append((name, String(decoding: bytes.dropLast(), as: UTF8.self))) }
    guard bytes.count == 4 else { return }
    let cell = Self.cells(bytes)[0]
    if name == "phandle" {
      pathOfHandle[cell] = path
    } else if name.hasPrefix("#"), name.hasSuffix("-cells") {
      cellCounts[path, default: [:]][name] = Int(cell)
    }
  }

  /// Takes the labels over, where all of them can be written as such.
  private mutating func takeLabels() {
    let areWritable = symbols.allSatisfy { label, path in
      let isWord = label.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x5F
      }
      return isWord && label.first?.isNumber == false && paths.contains(path)
    }
    guard areWritable else { return }
    for (label, path) in symbols { labels[path, default: []].append(label) }
  }

  /// Whether `__symbols__` is said by labels and need not be written.
  var haveLabels: Bool { !labels.isEmpty }

  /// What stands before the name of a node.
  func prefix(ofNodeAt path: String) -> String {
    (labels[path] ?? []).map { "\($0): " }.joined()
  }

  /// The value of a property that names nodes, as the text between `<` and `>`; nil where it is no such property, or
  /// has numbers that no node has.
  func text(_ name: String, _ bytes: [UInt8]) -> String? {
    guard let cellsProperty = Self.cellsProperty(name), !bytes.isEmpty, bytes.count % 4 == 0 else { return nil }
    var cells = Self.cells(bytes)[...]
    var words: [String] = []
    while let cell = cells.popFirst() {
      // A 0 is an entry left out.
      guard cell != 0 else {
        words.append("0x0")
        continue
      }
      guard let path = pathOfHandle[cell] else { return nil }
      let count = cellsProperty.isEmpty ? 0 : cellCounts[path]?[cellsProperty]
      guard let count, count <= cells.count else { return nil }
      words.append(labels[path].map { "&\($0[0])" } ?? "&{\(path)}")
      words += cells.prefix(count).map { "0x" + String($0, radix: 16) }
      cells = cells.dropFirst(count)
    }
    return words.joined(separator: " ")
  }

  private static func cells(_ bytes: [UInt8]) -> [UInt32] {
    stride(from: 0, to: bytes.count, by: 4).map { start in
      bytes[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
  }
}
