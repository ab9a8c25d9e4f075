internal import CFDT

/// A device tree blob as text (`.dts`), for people.
///
/// The blob does not say what a property's bytes mean. They are shown as nodes where the property's name says that they
/// name some, as texts where they look like texts, else as 32-bit cells where there is a whole number of them, else as
/// bytes. Labels of `__symbols__` stand before their nodes, and that node is left out: `dtc -@` makes it again.
public enum DeviceTreeSource {
  /// Writes a blob as text.
  ///
  /// - Throws: where libfdt does not accept the blob.
  public static func text(of blob: [UInt8]) throws(DeviceTreeError) -> String {
    var lines = ["/dts-v1/;", ""]
    // SAFETY: the blob holds for the call; libfdt checks the header and every offset against the size given.
    let result = unsafe blob.withUnsafeBytes { bytes in
      let checked = unsafe checkWholeBlob(bytes)
      guard checked == 0 else { return checked }
      let reserved = unsafe appendReservations(bytes.baseAddress, to: &lines)
      let references = unsafe DeviceTreeReferences(bytes.baseAddress)
      return reserved == 0 ? unsafe append(bytes.baseAddress, references, to: &lines) : reserved
    }
    guard result >= 0 else {
      // SAFETY: fdt_strerror returns a constant text for every number.
      throw DeviceTreeError(.read, reason: unsafe String(cString: fdt_strerror(result)))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func appendReservations(_ tree: UnsafeRawPointer?, to lines: inout [String]) -> Int32 {
    // SAFETY: fdt_check_full has accepted the whole blob, the reservations too.
    let count = unsafe fdt_num_mem_rsv(tree)
    guard count >= 0 else { return count }
    for index in 0..<count {
      var address: UInt64 = 0
      var size: UInt64 = 0
      let result = unsafe fdt_get_mem_rsv(tree, index, &address, &size)
      guard result == 0 else { return result }
      lines.append("/memreserve/\t\(sixteenDigits(address)) \(sixteenDigits(size));")
    }
    return 0
  }

  private static func sixteenDigits(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func append(
    _ tree: UnsafeRawPointer?,
    _ references: DeviceTreeReferences,
    to lines: inout [String]
  ) -> Int32 {
    var offset: Int32 = 0
    var path: [String] = []
    // Siblings are set apart by an empty line, as dtc does.
    var needsGap = false
    while true {
      var next: Int32 = 0
      // SAFETY: fdt_check_full has accepted the whole blob, so every offset that libfdt returns lies in it.
      let tag = unsafe fdt_next_tag(tree, offset, &next)
      let indent = String(repeating: "\t", count: path.count)
      let isSymbols = references.haveLabels && path == ["", "__symbols__"]
      switch UInt32(tag) {
      case UInt32(FDT_BEGIN_NODE):
        let name = unsafe fdt_get_name(tree, offset, nil).map { unsafe String(cString: $0) } ?? ""
        let isFirst = path.isEmpty
        path.append(name)
        if references.haveLabels, path == ["", "__symbols__"] { break }
        if needsGap || lines.last?.hasSuffix(";") == true && !isFirst { lines.append("") }
        let label = references.prefix(ofNodeAt: isFirst ? "/" : path.joined(separator: "/"))
        lines.append("\(indent)\(label)\(name.isEmpty ? "/" : name) {")
        needsGap = false
      case UInt32(FDT_END_NODE):
        path.removeLast()
        if isSymbols { break }
        lines.append(String(repeating: "\t", count: path.count) + "};")
        needsGap = true
      case UInt32(FDT_PROP):
        var name: UnsafePointer<CChar>?
        var size: Int32 = 0
        // SAFETY: as above; name and size are this call's own variables.
        let value = unsafe fdt_getprop_by_offset(tree, offset, &name, &size)
        guard let value = unsafe value, let name = unsafe name else { return size }
        guard size >= 0 else { return -FDT_ERR_BADSTRUCTURE }
        let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: value, count: Int(size)))
        if isSymbols { break }
        let property = unsafe String(cString: name)
        let nodes = references.text(property, bytes).map { " = <\($0)>" }
        lines.append("\(indent)\(property)\(nodes ?? text(ofValue: bytes));")
      case UInt32(FDT_END): return 0
      default: break
      }
      guard next > 0 else { return next }
      offset = next
    }
  }

  private static func text(ofValue bytes: [UInt8]) -> String {
    if bytes.isEmpty { return "" }
    if let texts = texts(bytes) { return " = " + texts.map { "\"\($0)\"" }.joined(separator: ", ") }
    if bytes.count % 4 == 0 {
      let cells = stride(from: 0, to: bytes.count, by: 4).map { start in
        "0x" + String(bytes[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }, radix: 16)
      }
      return " = <" + cells.joined(separator: " ") + ">"
    }
    let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    return " = [" + digits.joined(separator: " ") + "]"
  }

  /// The texts that the bytes hold, where all of them are printable and end with a zero.
  private static func texts(_ bytes: [UInt8]) -> [String]? {
    guard bytes.last == 0 else { return nil }
    let parts = bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false)
    // A single empty text is shown as one; more of them are rather a number.
    guard parts.count == 1 || parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    guard parts.allSatisfy({ $0.allSatisfy { 0x20...0x7E ~= $0 } }) else { return nil }
    return parts.map { part in
      String(decoding: part, as: UTF8.self)
        .split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
        .split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"")
    }
  }
}
