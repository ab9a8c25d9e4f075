internal import CFDT

/// Writes a flattened device tree through libfdt's sequential interface.
///
/// Nodes close themselves: a node is open for the length of the closure that fills it, and all its properties come
/// before its first child, as the format demands. The buffer grows as needed.
///
/// Devicetree Specification 0.4, chapter 5.
@safe
public struct DeviceTreeWriter: ~Copyable {
  // SAFETY: the buffer is this value's own, freed with it and only there or when a larger one takes its place; libfdt
  // is told its size and writes within it.

  private var buffer: UnsafeMutableRawBufferPointer

  /// The first thing that libfdt refused, so that callers need to check once, at the end.
  private var failure: DeviceTreeError?

  /// Properties come before a node's first child; libfdt itself does not check it.
  private var acceptsProperties = false

  /// What becomes of the labels that nodes are given.
  public enum Labels: Sendable {
    /// They are not looked at.
    case dropped
    /// ``symbols()`` writes them.
    case written
    /// The same, and each node with a label has a phandle, so that an overlay can refer to it.
    case referable
  }

  private var labels: Labels
  private var symbolPaths: [(label: String, path: String)] = []
  /// The names of the nodes that are open, where labels are looked at.
  private var path: [String] = []
  /// Above those that are given to nodes by those who write them.
  private var nextPhandle: UInt32 = 0x1000_0000

  /// Starts an empty tree.
  ///
  /// - Parameters:
  ///   - reservations: memory that the kernel must leave alone from its first moment, in bytes.
  ///   - labels: what becomes of nodes' labels.
  ///   - sharesNames: whether properties of one name have it once. Finding out whether it is there already takes longer
  ///     than all else of a small tree.
  public init(
    reservations: [(address: UInt64, size: UInt64)] = [],
    labels: Labels = .dropped,
    sharesNames: Bool = true
  ) {
    self.labels = labels
    unsafe buffer = .allocate(byteCount: 16 << 10, alignment: 8)
    let flags = sharesNames ? 0 : UInt32(FDT_CREATE_FLAG_NO_NAME_DEDUP)
    // SAFETY: the buffer is ours and libfdt is told its size.
    unsafe note(fdt_create_with_flags(buffer.baseAddress, Int32(buffer.count), flags))
    for reservation in reservations {
      unsafe note(fdt_add_reservemap_entry(buffer.baseAddress, reservation.address, reservation.size))
    }
    unsafe note(fdt_finish_reservemap(buffer.baseAddress))
  }

  deinit {
    // SAFETY: nobody can hold a pointer into it any longer.
    unsafe buffer.deallocate()
  }

  /// Adds a node and lets `body` fill it. The root's name is empty.
  ///
  /// - Parameters:
  ///   - label: by which overlays and people name the node: letters, digits and `_`, no digit first, unique.
  ///   - phandle: by which other nodes name it, below 0x10000000; nil where none does.
  public mutating func node(
    _ name: String,
    label: @autoclosure () -> String? = nil,
    phandle: UInt32? = nil,
    _ body: (inout DeviceTreeWriter) -> Void
  ) {
    unsafe retryingWhenFull { tree in
      // SAFETY: the name holds for the call, which copies it.
      unsafe name.withCString { unsafe fdt_begin_node(tree, $0) }
    }
    acceptsProperties = true
    var phandle = phandle
    if labels != .dropped {
      path.append(name)
      if let label = label() {
        symbolPaths.append((label, path.count == 1 ? "/" : path.joined(separator: "/")))
        if phandle == nil, labels == .referable {
          phandle = nextPhandle
          nextPhandle += 1
        }
      }
    }
    if let phandle { property("phandle", cells: [phandle]) }
    body(&self)
    if labels != .dropped { path.removeLast() }
    acceptsProperties = false
    unsafe retryingWhenFull { tree in unsafe fdt_end_node(tree) }
  }

  /// Adds the node `__symbols__` with the labels that nodes were given so far, where they are wanted. In the root,
  /// behind all other nodes.
  public mutating func symbols() {
    guard labels != .dropped else { return }
    let symbolPaths = symbolPaths
    node("__symbols__") { symbols in
      for (label, path) in symbolPaths { symbols.property(label, path) }
    }
  }

  /// Adds a property without a value, which is true by being there.
  public mutating func property(_ name: String) {
    property(name, bytes: [])
  }

  /// Adds a property of raw bytes.
  ///
  /// - Precondition: a node is open and has no child yet.
  public mutating func property(_ name: String, bytes: [UInt8]) {
    precondition(acceptsProperties, "the properties of a node come before its children")
    unsafe retryingWhenFull { tree in
      // SAFETY: name and bytes hold for the call, which copies them; the count is the array's.
      unsafe name.withCString { name in
        unsafe bytes.withUnsafeBytes { value in
          unsafe fdt_property(tree, name, value.baseAddress, Int32(value.count))
        }
      }
    }
  }

  /// Adds a property of one text.
  public mutating func property(_ name: String, _ text: String) {
    property(name, strings: [text])
  }

  /// Adds a property of several texts.
  public mutating func property(_ name: String, strings: [String]) {
    property(name, bytes: PropertyBytes.of(strings: strings))
  }

  /// Adds a property of 32-bit cells.
  public mutating func property(_ name: String, cells: [UInt32]) {
    property(name, bytes: PropertyBytes.of(cells: cells))
  }

  /// Adds a property of 64-bit numbers, two cells each.
  public mutating func property(_ name: String, wide: [UInt64]) {
    property(name, bytes: PropertyBytes.of(wide: wide))
  }

  /// Ends the tree.
  ///
  /// - Returns: the blob, as a kernel takes it.
  /// - Throws: what libfdt refused first, where it refused anything.
  public consuming func finish() throws(DeviceTreeError) -> [UInt8] {
    unsafe retryingWhenFull { tree in unsafe fdt_finish(tree) }
    if let failure { throw failure }
    // SAFETY: fdt_finish has written the header, whose second word is the size of the blob, within the buffer.
    let size = unsafe UInt32(bigEndian: buffer.load(fromByteOffset: 4, as: UInt32.self))
    return unsafe [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<Int(size)]))
  }

  private mutating func retryingWhenFull(_ step: (UnsafeMutableRawPointer?) -> Int32) {
    guard failure == nil else { return }
    while true {
      let result = unsafe step(buffer.baseAddress)
      guard result == -FDT_ERR_NOSPACE else { return note(result) }
      let larger = unsafe UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 8)
      // SAFETY: both buffers are ours; fdt_resize copies the unfinished tree into the larger one.
      let moved = unsafe fdt_resize(buffer.baseAddress, larger.baseAddress, Int32(larger.count))
      unsafe buffer.deallocate()
      unsafe buffer = larger
      guard moved == 0 else { return note(moved) }
    }
  }

  private mutating func note(_ result: Int32) {
    guard result < 0, failure == nil else { return }
    // SAFETY: fdt_strerror returns a constant text for every number.
    failure = DeviceTreeError(.written, reason: unsafe String(cString: fdt_strerror(result)))
  }
}

/// libfdt refused something: of a tree that is written, a mistake of the code that described it; of a blob that is
/// read, damage.
public struct DeviceTreeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What could not be done with the tree.
  public enum Attempt: String, Sendable {
    case written, read
  }

  /// What could not be done.
  public let attempt: Attempt
  /// libfdt's name of the error.
  public let reason: String

  init(_ attempt: Attempt, reason: String) {
    self.attempt = attempt
    self.reason = reason
  }

  public var description: String { "the device tree could not be \(attempt.rawValue): libfdt says \(reason)" }
}
