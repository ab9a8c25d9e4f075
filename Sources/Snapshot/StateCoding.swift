/// The coded form of states: compact, and quickly read.
///
/// It begins with ``magic``. The names of all fields follow, their number first, each with its length before it; then
/// one value. Numbers, lengths and counts have seven bits in a byte, the lowest first, and bit 7 in all but the last.
/// A value begins with a ``Tag``, or is a number below ``smallLimit`` in one byte.
package enum StateCoding {
  /// The first bytes, of which the last is the form's version.
  static let magic: [UInt8] = [0x41, 0x50, 0x53, 1]

  /// Deeper nesting is neither written nor read: either calls itself for each level.
  static let maximumDepth = 96

  /// What a value is.
  enum Tag: UInt8 {
    case null, no, yes
    /// A number follows.
    case unsigned
    /// The number's bits follow, each the other way round.
    case negative
    /// The eight bytes of a `Double`, the lowest first.
    case real
    /// Its length and its UTF-8.
    case text
    /// Integers of one type: a byte with the size's logarithm, and 8 more where they are signed; how many there are;
    /// their bytes, the lowest first.
    case integers
    /// The length of what follows in four bytes, the number of elements in four bytes, the elements.
    case array
    /// The length of what follows in four bytes; each member is the number of its name and a value.
    case object
  }

  /// What is added to a small number.
  static let smallBase: UInt8 = 0x40
  /// Numbers from here on have a tag.
  static let smallLimit = UInt64(0x100 - Int(smallBase))

  /// The bytes of a value.
  ///
  /// - Throws: what the value's own encoding throws; `EncodingError` for what is nested too deep, and for one that goes
  ///   back to a container after another was begun.
  package static func encode(_ value: some Encodable) throws -> [UInt8] {
    let coding = StateEncoding()
    try coding.put(value, path: [])
    return try coding.finish()
  }

  /// A decoder of bytes, of which only the names of fields are looked at before somebody asks.
  ///
  /// - Throws: `DecodingError` for what is no such form.
  package static func decoder(_ bytes: [UInt8]) throws -> any Decoder {
    try StateNode(document: StateDocument(bytes))
  }

  /// The names of the members of a structure that is decoded from this form; nil for another form's decoder.
  ///
  /// A container gives them as keys of a type, for which the program's records of all types are looked through once:
  /// that takes as long as reading the structure.
  ///
  /// - Throws: `DecodingError` where it is no structure.
  package static func memberNames(of decoder: any Decoder) throws -> [String]? {
    try (decoder as? StateNode)?.memberNames()
  }

  /// The value that bytes stand for.
  ///
  /// - Throws: `DecodingError` for what is no such form, or no such value; what the value's own decoding throws.
  package static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
    let document = try StateDocument(bytes)
    return try document.value(type, StateNode(document: document))
  }
}
