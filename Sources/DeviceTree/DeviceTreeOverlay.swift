internal import CFDT

/// A compiled device tree overlay (`.dtbo`): what it adds to a tree, and where.
///
/// The bytes come from outside. All of them are checked before libfdt follows what they say.
public struct DeviceTreeOverlay: Equatable, Sendable {
  /// The most bytes that an overlay may have.
  public static let sizeLimit = 1 << 20
  /// How deep its nodes may be nested: libfdt descends by calling itself. Linux takes no tree that is deeper.
  public static let depthLimit = 64

  private let bytes: [UInt8]
  /// The labels that it expects in the tree.
  private let neededLabels: [String]
  /// The paths that its parts go to, where they are named by path.
  private let targetPaths: [String]

  /// Takes a file's bytes.
  ///
  /// - Throws: where they are no whole overlay.
  public init(_ bytes: [UInt8]) throws(DeviceTreeOverlayError) {
    guard bytes.count <= Self.sizeLimit else { throw .tooLarge(size: bytes.count) }
    guard bytes.starts(with: [0xD0, 0x0D, 0xFE, 0xED]) else {
      let isSource = bytes.starts(with: Array("/dts-v1/".utf8)) || bytes.starts(with: Array("/*".utf8))
      throw isSource ? .source : .notABlob
    }
    let announced = bytes.count < 8 ? UInt64.max : bytes[4..<8].reduce(0) { $0 << 8 | UInt64($1) }
    guard announced <= UInt64(bytes.count) else { throw .truncated(size: bytes.count, announced: announced) }
    var parts = Parts()
    // SAFETY: the bytes hold for the call, and their count goes along.
    let result = unsafe bytes.withUnsafeBytes { bytes in
      let checked = unsafe checkWholeBlob(bytes)
      return checked == 0 ? unsafe parts.collect(bytes.baseAddress) : checked
    }
    guard result >= 0 else { throw .damaged(LibfdtError(result)) }
    guard parts.deepest <= Self.depthLimit else { throw .tooDeep }
    if let name = parts.badName { throw .badName(name) }
    guard parts.hasOverlay else { throw .noOverlay }
    // SAFETY: as above.
    guard unsafe bytes.withUnsafeBytes({ unsafe DeviceTreeFixups($0.baseAddress).areInPlace }) else { throw .badFixups }
    self.bytes = bytes
    neededLabels = parts.neededLabels
    targetPaths = parts.targetPaths
  }

  /// Adds the overlay to a tree.
  ///
  /// - Parameter tree: as ``DeviceTreeWriter`` or this function made it, with labels that are referable.
  /// - Returns: the tree with it.
  /// - Throws: where the tree lacks what the overlay refers to, or libfdt refuses it.
  public func applied(to tree: [UInt8]) throws(DeviceTreeOverlayError) -> [UInt8] {
    try checkTargets(in: tree)
    // What an overlay says once may be in the result twice, as a property and as a label's path.
    var capacity = tree.count + 2 * bytes.count + 4096
    while true {
      let (result, blob) = apply(to: tree, capacity: capacity)
      if let blob { return blob }
      guard result == -FDT_ERR_NOSPACE, capacity <= 16 * (tree.count + Self.sizeLimit) else {
        throw .refused(LibfdtError(result))
      }
      capacity *= 2
    }
  }

  /// One attempt, on copies: libfdt leaves both blobs damaged where it fails.
  private func apply(to tree: [UInt8], capacity: Int) -> (result: Int32, blob: [UInt8]?) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
    let overlay = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    defer {
      // SAFETY: both are ours, allocated above, and nothing points into them any longer.
      unsafe buffer.deallocate()
      unsafe overlay.deallocate()
    }
    // SAFETY: it has room for exactly these bytes.
    unsafe overlay.copyBytes(from: bytes)
    // SAFETY: both buffers are ours and hold for the calls, libfdt is told their sizes, and both blobs were checked
    // whole.
    var result = unsafe tree.withUnsafeBytes { tree in
      unsafe fdt_open_into(tree.baseAddress, buffer.baseAddress, Int32(buffer.count))
    }
    guard result == 0 else { return (result, nil) }
    result = unsafe fdt_overlay_apply(buffer.baseAddress, overlay.baseAddress)
    guard result == 0 else { return (result, nil) }
    result = unsafe fdt_pack(buffer.baseAddress)
    guard result == 0 else { return (result, nil) }
    // The header's second word is the size of the blob, which lies within the buffer.
    let size = Int(unsafe UInt32(bigEndian: buffer.load(fromByteOffset: 4, as: UInt32.self)))
    result = unsafe checkWholeBlob(UnsafeRawBufferPointer(rebasing: buffer[..<size]))
    guard result == 0 else { return (result, nil) }
    // SAFETY: as above: the blob lies within the buffer.
    return (0, unsafe [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<size])))
  }

  /// What libfdt would only call not found.
  private func checkTargets(in tree: [UInt8]) throws(DeviceTreeOverlayError) {
    // SAFETY: the tree is a whole blob; texts and tree hold for the calls.
    let (labels, missing) = unsafe tree.withUnsafeBytes { tree in
      var labels: [String] = []
      let symbols = unsafe fdt_path_offset(tree.baseAddress, DeviceTreeReferences.symbolsPath)
      if symbols >= 0 {
        var property = unsafe fdt_first_property_offset(tree.baseAddress, symbols)
        while property >= 0 {
          var name: UnsafePointer<CChar>?
          _ = unsafe fdt_getprop_by_offset(tree.baseAddress, property, &name, nil)
          if let name = unsafe name { labels.append(unsafe String(cString: name)) }
          property = unsafe fdt_next_property_offset(tree.baseAddress, property)
        }
      }
      // SAFETY: as above: the tree is a whole blob.
      let missing = targetPaths.first { unsafe fdt_path_offset(tree.baseAddress, $0) < 0 }
      return (labels, missing)
    }
    let unknown = neededLabels.filter { !labels.contains($0) }
    guard unknown.isEmpty else { throw .unknownLabels(unknown, known: labels) }
    if let missing { throw .unknownPath(missing) }
  }

  /// What an overlay consists of, as far as it can be known without the tree.
  private struct Parts {
    var hasOverlay = false
    var neededLabels: [String] = []
    var targetPaths: [String] = []
    var deepest = 0
    /// The first name that is none.
    var badName: String?

    /// Of nodes and properties (Devicetree Specification 0.4, 2.2.1 and 2.2.4.1): what dtc writes and reads, and no
    /// terminal acts upon.
    private mutating func check(_ name: String) {
      let isName = name.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: ",._+*#?@-".utf8.contains(byte)
        }
      }
      if !isName, badName == nil { badName = name }
    }

    /// - Precondition: libfdt has checked the whole blob.
    @unsafe
    mutating func collect(_ blob: UnsafeRawPointer?) -> Int32 {
      var offset: Int32 = 0
      var path: [String] = []
      while true {
        var next: Int32 = 0
        // SAFETY: the caller has had the whole blob checked, so every offset that libfdt returns lies in it.
        switch UInt32(unsafe fdt_next_tag(blob, offset, &next)) {
        case UInt32(FDT_BEGIN_NODE):
          path.append(unsafe fdt_get_name(blob, offset, nil).map { unsafe String(cString: $0) } ?? "")
          check(path[path.count - 1])
          deepest = max(deepest, path.count - 1)
          if path.count == 3, path[2] == "__overlay__" { hasOverlay = true }
        case UInt32(FDT_END_NODE): path.removeLast()
        case UInt32(FDT_PROP):
          var name: UnsafePointer<CChar>?
          var size: Int32 = 0
          guard let value = unsafe fdt_getprop_by_offset(blob, offset, &name, &size), let name = unsafe name, size >= 0
          else { break }
          // SAFETY: as above; libfdt ends names with a zero within the blob.
          let text = unsafe String(cString: name)
          check(text)
          guard path.count == 2 else { break }
          if path[1] == "__fixups__" {
            neededLabels.append(text)
          } else if text == "target-path" {
            let bytes = unsafe UnsafeRawBufferPointer(start: value, count: Int(size))
            targetPaths.append(unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
          }
        case UInt32(FDT_END): return 0
        default: break
        }
        guard next > 0 else { return next }
        offset = next
      }
    }
  }
}

/// Why an overlay cannot be used. The description goes on after the file's name.
public enum DeviceTreeOverlayError: Error, Equatable, Sendable {
  case notABlob
  /// It is not compiled.
  case source
  /// More bytes than ``DeviceTreeOverlay/sizeLimit``.
  case tooLarge(size: Int)
  /// It has fewer bytes than its header says, or not even a header: `announced` is `UInt64.max` then.
  case truncated(size: Int, announced: UInt64)
  /// libfdt finds a fault in its structure.
  case damaged(LibfdtError)
  case tooDeep
  /// A node or property has a name with characters that no name may have.
  case badName(String)
  /// What it says about where phandles belong in it leads elsewhere.
  case badFixups
  /// A whole device tree, without any part that is to go into another.
  case noOverlay
  /// It refers to labels that the machine's tree doesn't have; with those that there are.
  case unknownLabels([String], known: [String])
  /// A fragment goes to a path at which the machine's tree has no node.
  case unknownPath(String)
  /// libfdt could not apply it to the machine's tree.
  case refused(LibfdtError)
}

extension DeviceTreeOverlayError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notABlob: "is no device tree blob; compile the overlay with dtc -@ -O dtb"
    case .source: "is the source of a device tree; compile it with dtc -@ -O dtb"
    case .tooLarge(let size):
      "has \(size) bytes, and an overlay has at most \(DeviceTreeOverlay.sizeLimit); give a smaller one"
    case .truncated(let size, let announced):
      announced == .max
        ? "ends after \(size) bytes, within its header; compile or copy it again"
        : "is truncated: it has \(size) bytes and should have \(announced); copy it again"
    case .damaged(let error): "is damaged: \(error); compile or copy it again"
    case .tooDeep:
      "has nodes nested deeper than \(DeviceTreeOverlay.depthLimit), which no kernel takes; make it flatter"
    case .badName(let name): "has a node or property of the name '\(name)', which no name may be; compile it again"
    case .badFixups: "is damaged: its fixups lead out of the properties that they are for; compile or copy it again"
    case .noOverlay:
      "is a whole device tree and no overlay; write /plugin/; behind /dts-v1/; and compile it with dtc -@ -O dtb"
    case .unknownLabels(let labels, let known):
      "refers to \(Self.list(labels.map { "&" + $0 })), and the machine's tree has no such label; it has "
        + Self.list(known.map { "&" + $0 })
    case .unknownPath(let path):
      "goes to '\(path)', where the machine's tree has no node; 'apus devicetree' shows those that there are"
    case .refused(let error): "cannot be applied: \(error)"
    }
  }

  /// At most a line or two of them.
  private static func list(_ words: [String]) -> String {
    let shown = words.prefix(40).map { $0.prefix(64) }.joined(separator: ", ")
    return words.isEmpty ? "none" : words.count > 40 ? shown + " and others" : shown
  }
}

/// An error of libfdt's, by number.
public struct LibfdtError: Equatable, Sendable, CustomStringConvertible {
  private let number: Int32

  /// - Parameter result: negative, as libfdt returns it.
  init(_ result: Int32) {
    number = -result
  }

  /// In words, with libfdt's own name.
  public var description: String {
    // SAFETY: fdt_strerror returns a constant text for every number.
    let name = unsafe String(cString: fdt_strerror(-number))
    return words.map { "\($0) (\(name))" } ?? "libfdt says \(name)"
  }

  private var words: String? {
    switch number {
    case FDT_ERR_NOTFOUND: "it refers to a node or property that is not there"
    case FDT_ERR_EXISTS: "it adds what is there already"
    case FDT_ERR_NOSPACE: "it becomes too large"
    case FDT_ERR_BADPATH: "it has a path that does not begin with '/'"
    case FDT_ERR_BADPHANDLE: "it has a phandle that no node can have"
    case FDT_ERR_TRUNCATED: "a part of it ends early"
    case FDT_ERR_BADVERSION: "it has a version of the format that libfdt does not know"
    case FDT_ERR_BADSTRUCTURE, FDT_ERR_BADLAYOUT: "its parts contradict each other"
    case FDT_ERR_BADVALUE: "a property of it has another length than it should"
    case FDT_ERR_BADOVERLAY: "its fragments or fixups are not what an overlay has"
    case FDT_ERR_NOPHANDLES: "no phandles are left for it"
    default: nil
    }
  }
}
