internal import Machine

/// The flattened device tree that the guest was started with (Devicetree Specification 0.4, chapter 5), read in place.
public struct DeviceTree: Sendable {
  fileprivate let structure: UInt
  fileprivate let strings: UInt

  /// The guest's device tree.
  public static var current: DeviceTree { DeviceTree(at: machine_device_tree) }

  /// Where the blob is.
  public static var address: UInt { machine_device_tree }

  private init(at address: UInt) {
    structure = address + UInt(word(at: address + 8))
    strings = address + UInt(word(at: address + 12))
  }

  /// Whether a blob is there at all (5.2: the magic number).
  public static var isPresent: Bool { word(at: machine_device_tree) == 0xD00D_FEED }

  /// The first node, in the order of the tree, that `matches`.
  public func firstNode(where matches: (Node) -> Bool) -> Node? {
    guard Self.isPresent else { return nil }
    var cells = InlineArray<8, (address: UInt32, size: UInt32)>(repeating: (2, 1))
    var depth = 0
    var position = structure
    while true {
      switch word(at: position) {
      case Token.beginNode:
        let name = position + 4
        let properties = aligned(name + UInt(length(ofTextAt: name)) + 1)
        guard depth < cells.count else { return nil }
        let parent = depth == 0 ? (address: 2, size: 1) : cells[depth - 1]
        let node = Node(tree: self, name: name, properties: properties, depth: depth, cells: parent)
        if matches(node) { return node }
        cells[depth] = (node["#address-cells"]?.word(0) ?? 2, node["#size-cells"]?.word(0) ?? 1)
        depth += 1
        position = properties
      case Token.endNode:
        depth -= 1
        position += 4
      case Token.property: position = behindProperty(at: position)
      case Token.nothing: position += 4
      default: return nil
      }
    }
  }

  /// The first node that is compatible with `model`.
  public func firstNode(compatibleWith model: StaticString) -> Node? {
    firstNode { $0["compatible"]?.contains(text: model) ?? false }
  }

  /// The first node of this name, without a unit address.
  public func firstNode(named name: StaticString) -> Node? {
    firstNode { equal($0.name, name, count: length(ofTextAt: $0.name)) }
  }
}

extension DeviceTree {
  public struct Node: Sendable {
    private let tree: DeviceTree
    fileprivate let name: UInt
    private let properties: UInt
    /// 0 for the root.
    public let depth: Int
    private let cells: (address: UInt32, size: UInt32)

    fileprivate init(
      tree: DeviceTree,
      name: UInt,
      properties: UInt,
      depth: Int,
      cells: (address: UInt32, size: UInt32)
    ) {
      self.tree = tree
      self.name = name
      self.properties = properties
      self.depth = depth
      self.cells = cells
    }

    public subscript(name: StaticString) -> Property? {
      var position = properties
      while true {
        switch word(at: position) {
        case Token.property:
          let text = tree.strings + UInt(word(at: position + 8))
          if equal(text, name, count: length(ofTextAt: text)) {
            return Property(address: position + 12, count: Int(word(at: position + 4)))
          }
          position = behindProperty(at: position)
        case Token.nothing: position += 4
        default: return nil
        }
      }
    }

    /// An address of `reg`; `index` counts the pairs of address and size.
    public func address(_ index: Int = 0) -> UInt64? {
      self["reg"].flatMap { $0.number(at: index * stride, cells: Int(cells.address)) }
    }

    /// A size of `reg`.
    public func size(_ index: Int = 0) -> UInt64? {
      self["reg"].flatMap { $0.number(at: index * stride + Int(cells.address), cells: Int(cells.size)) }
    }

    private var stride: Int { Int(cells.address + cells.size) }

    /// The number at the interrupt controller of the first interrupt of `interrupts`, which has the three cells of the
    /// GIC.
    public var interrupt: UInt32? { interrupt(0) }

    /// The same of the interrupt `index`.
    public func interrupt(_ index: Int) -> UInt32? {
      guard let property = self["interrupts"], let type = property.word(3 * index),
        let number = property.word(3 * index + 1)
      else { return nil }
      return number + (type == 0 ? 32 : 16)
    }
  }

  /// The bytes of a property.
  public struct Property: Sendable {
    fileprivate let address: UInt
    public let count: Int

    /// A cell of 32 bits, or `nil` behind the end.
    public func word(_ index: Int) -> UInt32? {
      4 * index + 4 <= count ? Support.word(at: address + 4 * UInt(index)) : nil
    }

    /// A number of one or two cells from cell `index` on.
    public func number(at index: Int, cells: Int) -> UInt64? {
      guard let first = word(index) else { return nil }
      guard cells == 2 else { return UInt64(first) }
      return word(index + 1).map { UInt64(first) << 32 | UInt64($0) }
    }

    /// A byte, or `nil` behind the end.
    public subscript(index: Int) -> UInt8? {
      0..<count ~= index ? byte(at: address + UInt(index)) : nil
    }

    /// Whether one of the property's texts, each of which ends with a zero, is `text`.
    public func contains(text: StaticString) -> Bool {
      var start = address
      while start < address + UInt(count) {
        let length = length(ofTextAt: start)
        if equal(start, text, count: length) { return true }
        start += UInt(length) + 1
      }
      return false
    }
  }
}

/// 5.4.1, the tokens of the structure block.
private enum Token {
  static var beginNode: UInt32 { 1 }
  static var endNode: UInt32 { 2 }
  static var property: UInt32 { 3 }
  static var nothing: UInt32 { 4 }
}

private func behindProperty(at position: UInt) -> UInt {
  aligned(position + 12 + UInt(word(at: position + 4)))
}

private func aligned(_ address: UInt) -> UInt { (address + 3) & ~3 }

private func byte(at address: UInt) -> UInt8 { DeviceRegister(address).read8() }

/// A cell, which is big-endian.
private func word(at address: UInt) -> UInt32 { UInt32(bigEndian: DeviceRegister(address).read32()) }

private func length(ofTextAt address: UInt) -> Int {
  var length = 0
  while byte(at: address + UInt(length)) != 0 { length += 1 }
  return length
}

/// Whether the `count` bytes at `address` are all of `text`.
private func equal(_ address: UInt, _ text: StaticString, count: Int) -> Bool {
  guard text.utf8CodeUnitCount == count else { return false }
  for index in 0..<count where byte(at: address + UInt(index)) != text.byte(index) { return false }
  return true
}

extension StaticString {
  /// The byte at `index`.
  public func byte(_ index: Int) -> UInt8 {
    precondition(0..<utf8CodeUnitCount ~= index, "within the text")
    // SAFETY: the index was checked, and the text lives as long as the program.
    return unsafe utf8Start[index]
  }
}
