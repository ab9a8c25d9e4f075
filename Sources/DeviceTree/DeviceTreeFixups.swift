internal import CFDT

/// The places in an overlay where libfdt is to put phandles.
///
/// libfdt reads and writes where `__local_fixups__` and `__fixups__` say without looking whether that is within the
/// property (overlay_update_local_node_references; the sum in fdt_setprop_inplace_namelen_partial overflows), so it is
/// looked at here, with the look-ups that libfdt makes.
@safe
struct DeviceTreeFixups {
  // SAFETY: libfdt has checked the whole blob, as the initializer demands, so what it is asked for by its own offsets
  // and the offsets and sizes that it returns lie in it. Names and texts hold for the calls.

  private let blob: UnsafeRawPointer?

  /// In bytes.
  private static let phandleSize = 4

  /// - Parameter blob: whole, as libfdt has checked, and not deeper than a stack can take. It must outlive the value.
  @unsafe
  init(_ blob: UnsafeRawPointer?) {
    unsafe self.blob = blob
  }

  /// Whether each place is within the property that it is in.
  var areInPlace: Bool {
    // SAFETY: the blob was checked whole; so below.
    let local = unsafe fdt_path_offset(blob, "/__local_fixups__")
    if local >= 0, !areLocalInPlace(of: 0, local) { return false }
    let fixups = unsafe fdt_path_offset(blob, "/__fixups__")
    guard fixups >= 0 else { return true }
    return properties(of: fixups).allSatisfy { _, value in
      // Texts that end with a zero each, PATH:PROPERTY:OFFSET.
      value.last == 0
        && value.dropLast().split(separator: 0, omittingEmptySubsequences: false).allSatisfy { isInPlace($0) }
    }
  }

  /// `__local_fixups__` has the nodes of the tree, with offsets for values.
  private func areLocalInPlace(of node: Int32, _ fixups: Int32) -> Bool {
    for (name, value) in properties(of: fixups) {
      guard value.count % Self.phandleSize == 0, let size = size(of: name, node) else { return false }
      for start in stride(from: 0, to: value.count, by: Self.phandleSize) {
        let offset = value[start..<start + Self.phandleSize].reduce(0) { $0 << 8 | Int($1) }
        guard offset + Self.phandleSize <= size else { return false }
      }
    }
    var child = unsafe fdt_first_subnode(blob, fixups)
    while child >= 0 {
      let counterpart = unsafe fdt_subnode_offset(blob, node, fdt_get_name(blob, child, nil))
      guard counterpart >= 0, areLocalInPlace(of: counterpart, child) else { return false }
      child = unsafe fdt_next_subnode(blob, child)
    }
    return true
  }

  private func isInPlace(_ fixup: ArraySlice<UInt8>) -> Bool {
    let parts = fixup.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].first == UInt8(ascii: "/"), parts[2].allSatisfy({ (0x30...0x39).contains($0) }),
      let offset = Int(String(decoding: parts[2], as: UTF8.self)), offset <= Int32.max
    else { return false }
    let node = unsafe fdt_path_offset(blob, String(decoding: parts[0], as: UTF8.self))
    guard node >= 0, let size = size(of: String(decoding: parts[1], as: UTF8.self), node) else { return false }
    return offset + Self.phandleSize <= size
  }

  private func size(of property: String, _ node: Int32) -> Int? {
    var size: Int32 = 0
    return unsafe fdt_getprop(blob, node, property, &size) == nil ? nil : Int(size)
  }

  private func properties(of node: Int32) -> [(name: String, value: [UInt8])] {
    var properties: [(name: String, value: [UInt8])] = []
    var offset = unsafe fdt_first_property_offset(blob, node)
    while offset >= 0 {
      var name: UnsafePointer<CChar>?
      var size: Int32 = 0
      if let value = unsafe fdt_getprop_by_offset(blob, offset, &name, &size), let name = unsafe name, size >= 0 {
        let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: value, count: Int(size)))
        properties.append((unsafe String(cString: name), bytes))
      }
      offset = unsafe fdt_next_property_offset(blob, offset)
    }
    return properties
  }
}
