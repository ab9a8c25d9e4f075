internal import CFDT

/// A node of a device tree as plain values, with all that is in it: of a blob that somebody else made, to be written
/// with changes (``DeviceTreeWriter``).
public struct DeviceTreeNode: Equatable, Sendable {
  /// A property, whose bytes are as the blob has them.
  public struct Property: Equatable, Sendable {
    /// As the blob has it, such as `#address-cells`.
    public var name: String
    /// The value; numbers in it are big-endian.
    public var bytes: [UInt8]

    /// A property of these bytes.
    public init(_ name: String, bytes: [UInt8] = []) {
      self.name = name
      self.bytes = bytes
    }

    /// A property of 32-bit cells.
    public init(_ name: String, cells: [UInt32]) { self.init(name, bytes: PropertyBytes.of(cells: cells)) }

    /// A property of 64-bit numbers, two cells each.
    public init(_ name: String, wide: [UInt64]) { self.init(name, bytes: PropertyBytes.of(wide: wide)) }

    /// A property of texts, each with its zero.
    public init(_ name: String, strings: [String]) { self.init(name, bytes: PropertyBytes.of(strings: strings)) }

    /// The value, where it is one 32-bit cell.
    public var cell: UInt32? { bytes.count == 4 ? bytes.reduce(0) { $0 << 8 | UInt32($1) } : nil }

    /// The texts that it has, where it has such.
    public var strings: [String] { bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) } }
  }

  /// With its unit address; empty for the root.
  public var name: String
  /// In the blob's order.
  public var properties: [Property] = []
  /// The nodes in it, in the blob's order.
  public var children: [DeviceTreeNode] = []

  /// A node with these properties.
  public init(_ name: String, _ properties: [Property] = [], children: [DeviceTreeNode] = []) {
    self.name = name
    self.properties = properties
    self.children = children
  }

  /// The first property of that name.
  public subscript(property name: String) -> Property? { properties.first { $0.name == name } }

  /// The first child of that name.
  public subscript(child name: String) -> DeviceTreeNode? { children.first { $0.name == name } }

  /// Each phandle in it.
  public var phandles: [UInt32] {
    let own = properties.filter { $0.name == "phandle" || $0.name == "linux,phandle" }.compactMap(\.cell)
    return own + children.flatMap(\.phandles)
  }
}

/// A whole device tree as plain values.
public struct DeviceTreeContent: Equatable, Sendable {
  /// How deep nodes may be nested: what Linux takes.
  static let depthLimit = 64
  /// How long a property's name may be, in bytes: several times what any binding has. Names are shared in a blob, and
  /// would not be here.
  static let nameLimit = 255

  /// Memory that the kernel must leave alone from its first moment, in bytes.
  public struct Reservation: Equatable, Sendable {
    /// Of the first byte.
    public var address: UInt64
    /// In bytes.
    public var size: UInt64
  }

  /// What the blob's list of them has, which is not the node `reserved-memory`.
  public var reservations: [Reservation] = []
  /// The node of all others.
  public var root: DeviceTreeNode

  /// Reads a blob.
  ///
  /// - Throws: where libfdt does not accept it, nodes are nested deeper than any kernel takes, or a name is longer than
  ///   any binding's.
  public init(_ blob: [UInt8]) throws(DeviceTreeError) {
    var reader = Reader()
    // SAFETY: the blob holds for the call, and its count goes along.
    let result = unsafe blob.withUnsafeBytes { bytes in
      let checked = unsafe checkWholeBlob(bytes)
      return checked == 0 ? unsafe reader.read(bytes.baseAddress) : checked
    }
    // SAFETY: fdt_strerror returns a constant text for every number.
    guard result >= 0 else { throw DeviceTreeError(.read, reason: unsafe String(cString: fdt_strerror(result))) }
    guard let root = reader.root else {
      throw DeviceTreeError(.read, reason: "nodes are nested too deep, or a property's name is too long")
    }
    self.root = root
    reservations = reader.reservations
  }

  private struct Reader {
    var reservations: [Reservation] = []
    var root: DeviceTreeNode?
    private var open: [DeviceTreeNode] = []

    /// - Precondition: libfdt has checked the whole blob.
    @unsafe
    mutating func read(_ blob: UnsafeRawPointer?) -> Int32 {
      // SAFETY: the caller has had the whole blob checked, so every offset that libfdt returns lies in it.
      for index in 0..<max(0, unsafe fdt_num_mem_rsv(blob)) {
        var reservation = Reservation(address: 0, size: 0)
        let result = unsafe fdt_get_mem_rsv(blob, index, &reservation.address, &reservation.size)
        guard result == 0 else { return result }
        reservations.append(reservation)
      }
      var offset: Int32 = 0
      while true {
        var next: Int32 = 0
        // SAFETY: as above.
        switch UInt32(unsafe fdt_next_tag(blob, offset, &next)) {
        case UInt32(FDT_BEGIN_NODE):
          guard open.count < DeviceTreeContent.depthLimit else { return 0 }
          open.append(
            DeviceTreeNode(unsafe fdt_get_name(blob, offset, nil).map { unsafe String(cString: $0) } ?? "")
          )
        case UInt32(FDT_END_NODE):
          guard let node = open.popLast() else { return -FDT_ERR_BADSTRUCTURE }
          if open.isEmpty { root = node } else { open[open.count - 1].children.append(node) }
        case UInt32(FDT_PROP):
          var name: UnsafePointer<CChar>?
          var size: Int32 = 0
          // SAFETY: as above; name and size are this call's own variables.
          let value = unsafe fdt_getprop_by_offset(blob, offset, &name, &size)
          guard let value = unsafe value, let name = unsafe name else { return size }
          // libfdt before 1.7 takes lengths of 2 GiB and more for negative ones, and has nothing against them.
          guard size >= 0, !open.isEmpty else { return -FDT_ERR_BADSTRUCTURE }
          guard unsafe strnlen(name, DeviceTreeContent.nameLimit + 1) <= DeviceTreeContent.nameLimit else { return 0 }
          let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: value, count: Int(size)))
          open[open.count - 1].properties.append(.init(unsafe String(cString: name), bytes: bytes))
        case UInt32(FDT_END): return 0
        default: break
        }
        guard next > 0 else { return next }
        offset = next
      }
    }
  }
}
