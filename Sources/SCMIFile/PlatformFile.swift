internal import PositionedJSON
public import SCMI

/// Every mistake of a platform file.
public struct PlatformFileError: Error, Sendable, CustomStringConvertible {
  /// One thing that is wrong, and where.
  public struct Mistake: Equatable, Sendable, CustomStringConvertible {
    /// From 1.
    public var line: Int
    /// From 1, in bytes.
    public var column: Int
    /// A JSON pointer; empty is the file as a whole.
    public var path: String
    /// What is wrong and what was expected.
    public var message: String

    public var description: String {
      "\(line):\(column): \(path.isEmpty ? "/" : path.shortened): \(message.shortened)"
    }

    fileprivate var withoutPosition: String { (path.isEmpty ? "" : path.shortened + ": ") + message.shortened }
  }

  /// In the order of the file where the form is wrong, otherwise by kind of resource; at most ``limit``.
  public var mistakes: [Mistake]
  /// How many there are besides.
  public var omitted = 0

  /// How many mistakes are told: a file that was made by a program may have a million of one kind.
  public static let limit = 50

  /// What to say of mistakes that are not told, here and of other files; nil where there are none.
  package static func note(omitted: Int) -> String? {
    omitted > 0 ? "\(omitted) more mistakes are not told" : nil
  }

  /// What to tell people of a file with that name.
  public func messages(for file: String) -> [String] {
    mistakes.map { "\(file):\($0)" } + [Self.note(omitted: omitted)].compactMap(\.self).map { "\(file): \($0)" }
  }

  public var description: String { text(\.description) }

  /// The same for a text that came otherwise than in lines, which then nobody can count.
  package var withoutPositions: String { text(\.withoutPosition) }

  private func text(_ text: (Mistake) -> String) -> String {
    let lines = mistakes.map(text) + [Self.note(omitted: omitted)].compactMap(\.self)
    return lines.joined(separator: "\n")
  }
}

extension PlatformDefinition {
  /// Reads a platform file.
  ///
  /// - Parameter json: UTF-8.
  /// - Throws: every mistake, with line, column and path.
  public init(json: [UInt8]) throws(PlatformFileError) {
    self = try Self.reading(json).definition
  }

  static func reading(
    _ json: [UInt8]
  ) throws(PlatformFileError) -> (definition: PlatformDefinition, root: JSONValue) {
    let root: JSONValue
    do {
      root = try JSONParser.parse(json)
    } catch {
      throw PlatformFileError(mistakes: [
        .init(line: error.position.line, column: error.position.column, path: "", message: error.message)
      ])
    }
    let reader = PlatformFileReader()
    let definition = reader.platform(root)
    guard reader.mistakes.isEmpty else {
      throw PlatformFileError(mistakes: reader.mistakes, omitted: reader.omitted)
    }
    let errors = definition.validate()
    guard errors.isEmpty else {
      let mistakes = errors.prefix(PlatformFileError.limit).map { PlatformFileError.Mistake($0, in: root) }
      throw PlatformFileError(mistakes: mistakes, omitted: errors.count - mistakes.count)
    }
    return (definition, root)
  }

  /// - Throws: every mistake, with line, column and path.
  public init(json: String) throws(PlatformFileError) {
    try self.init(json: Array(json.utf8))
  }
}

extension PlatformFileError.Mistake {
  init(_ error: DefinitionError, in root: JSONValue) {
    let position = root.position(of: error.path)
    self.init(line: position.line, column: position.column, path: error.path, message: error.message)
  }
}

/// Turns JSON into a definition and collects what is not of the expected form.
final class PlatformFileReader {
  private(set) var mistakes: [PlatformFileError.Mistake] = []
  /// How many mistakes there are beyond the limit.
  private(set) var omitted = 0
  /// All mistakes so far, told or not.
  var mistakeCount: Int { mistakes.count + omitted }
  /// The lists of keys that were told already.
  private var toldKeys: Set<String> = []

  func fail(_ position: JSONPosition, _ path: @autoclosure () -> String, _ message: @autoclosure () -> String) {
    guard mistakes.count < PlatformFileError.limit else {
      omitted += 1
      return
    }
    mistakes.append(.init(line: position.line, column: position.column, path: path(), message: message()))
  }

  /// What is expected instead of an unknown key, in full once.
  private func expectation(_ known: [String]) -> String {
    let list = Set(known).sorted().joined(separator: ", ")
    guard toldKeys.insert(list).inserted else { return "unknown key" }
    return "unknown key; expected \(list.isEmpty ? "none" : list)"
  }

  func mismatch(_ value: JSONValue, _ path: @autoclosure () -> String, _ expected: @autoclosure () -> String) {
    fail(value.position, path(), "expected \(expected()), found \(value.summary)")
  }

  /// Reads an object; keys that `body` does not ask for are mistakes.
  func object<Result>(_ value: JSONValue, _ path: String, _ body: (Fields) -> Result) -> Result {
    let fields = begin(value, path)
    let result = body(fields)
    end(fields)
    return result
  }

  // What is the same for all results is no part of the generic function, which the program has for each.

  @inline(never)
  private func begin(_ value: JSONValue, _ path: String) -> Fields {
    if value.members == nil { mismatch(value, path, "an object") }
    return Fields(reader: self, value: value, path: path)
  }

  @inline(never)
  private func end(_ fields: Fields) {
    for member in fields.value.members ?? [] where !fields.asked.contains(member.key) {
      fail(member.position, fields.path + "/" + JSONPointer.escape(member.key), expectation(fields.asked))
    }
  }

  /// Reads each element of an array.
  func array<Element>(
    _ value: JSONValue?,
    _ path: String,
    _ element: (JSONValue, String) -> Element?
  ) -> [Element] {
    let values = elements(value, path)
    var list: [Element] = []
    for index in values.indices {
      if let element = element(values[index], place(path, index)) { list.append(element) }
    }
    return list
  }

  @inline(never)
  private func elements(_ value: JSONValue?, _ path: String) -> [JSONValue] {
    guard let value else { return [] }
    if let elements = value.array { return elements }
    mismatch(value, path, "an array")
    return []
  }

  @inline(never)
  private func place(_ path: String, _ index: Int) -> String { "\(path)/\(index)" }

  func string(_ value: JSONValue, _ path: String) -> String? {
    if value.string == nil { mismatch(value, path, "a string") }
    return value.string
  }

  func integer<Integer: FixedWidthInteger>(_ value: JSONValue, _ path: String, _ type: Integer.Type) -> Integer? {
    if let number = value.integer(type) { return number }
    mismatch(value, path, "an integer from \(Integer.min.description) to \(Integer.max.description)")
    return nil
  }

  /// `kind/name`, such as `clocks/pll`.
  func resource(_ value: JSONValue, _ path: String) -> ResourceName? {
    guard let text = string(value, path) else { return nil }
    if let resource = resource(named: text) { return resource }
    let kinds = ResourceKind.allCases.map(\.name).joined(separator: ", ")
    fail(value.position, path, "expected KIND/NAME with one of the kinds \(kinds)")
    return nil
  }

  func resource(named text: String) -> ResourceName? {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let kind = ResourceKind(name: String(parts[0])) else { return nil }
    return ResourceName(kind, String(parts[1]))
  }

  /// One of the values of an enumeration, by name.
  func choice<Choice>(
    _ value: JSONValue,
    _ path: String,
    _ names: [String],
    _ make: (String) -> Choice?
  ) -> Choice? {
    guard let text = string(value, path) else { return nil }
    if let result = make(text) { return result }
    noChoice(value, path, names, text)
    return nil
  }

  @inline(never)
  private func noChoice(_ value: JSONValue, _ path: String, _ names: [String], _ text: String) {
    fail(value.position, path, "expected one of \(names.joined(separator: ", ")), found \"\(text)\"")
  }

  /// Digits and nothing else.
  func number<Integer: FixedWidthInteger>(_ text: Substring, _ type: Integer.Type) -> Integer? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Integer(text) : nil
  }

  /// `major.minor` or the number.
  func version(_ value: JSONValue, _ path: String) -> ProtocolVersion? {
    if let number = value.integer(UInt32.self) { return ProtocolVersion(rawValue: number) }
    let parts = (value.string ?? "").split(separator: ".", omittingEmptySubsequences: false)
    if parts.count == 2, let major = number(parts[0], UInt16.self), let minor = number(parts[1], UInt16.self) {
      return ProtocolVersion(major, minor)
    }
    mismatch(value, path, "a version such as \"3.0\"")
    return nil
  }

  /// A protocol by name or number.
  func protocolNumber(_ value: JSONValue, _ path: String) -> UInt8? {
    guard let text = value.string else { return integer(value, path, UInt8.self) }
    if let identifier = ProtocolIdentifier(name: text) { return identifier.rawValue }
    let names = ProtocolIdentifier.allCases.map(\.name).joined(separator: ", ")
    fail(value.position, path, "expected a number or one of \(names), found \"\(text)\"")
    return nil
  }

  /// A message of a protocol by name or number.
  func messageNumber(
    _ value: JSONValue,
    _ path: String,
    _ identifier: UInt8?,
    isNotification: Bool = false
  ) -> UInt8? {
    guard let text = value.string else { return integer(value, path, UInt8.self) }
    guard let identifier else {
      fail(value.position, path, "expected a number, since there is no protocol beside it that has names")
      return nil
    }
    if let number = MessageCatalogue.number(identifier, text, isNotification: isNotification) { return number }
    let names = MessageCatalogue.names(identifier, isNotification: isNotification).joined(separator: ", ")
    fail(value.position, path, "expected a number or one of \(names), found \"\(text)\"")
    return nil
  }
}

/// The members of one object.
final class Fields {
  let reader: PlatformFileReader
  let value: JSONValue
  let path: String
  /// In the order of the questions, some twice. A platform has many small objects: a set would cost more than it saves.
  private(set) var asked: [String] = []

  init(reader: PlatformFileReader, value: JSONValue, path: String) {
    self.reader = reader
    self.value = value
    self.path = path
    asked.reserveCapacity(20)
  }

  subscript(key: String) -> JSONValue? {
    asked.append(key)
    return value[key]
  }

  func path(_ key: String) -> String { "\(path)/\(key)" }

  func boolean(_ key: String, _ target: inout Bool) {
    guard let value = self[key] else { return }
    guard let found = value.boolean else { return reader.mismatch(value, path(key), "true or false") }
    target = found
  }

  func integer<Integer: FixedWidthInteger>(_ key: String, _ target: inout Integer) {
    guard let value = self[key], let found = reader.integer(value, path(key), Integer.self) else { return }
    target = found
  }

  func integer<Integer: FixedWidthInteger>(_ key: String, _ target: inout Integer?) {
    guard let value = self[key], let found = reader.integer(value, path(key), Integer.self) else { return }
    target = found
  }

  /// A number that must be there; 0 with a mistake noted where it is not.
  func required<Integer: FixedWidthInteger>(_ key: String, _ type: Integer.Type) -> Integer {
    guard let value = self[key] else {
      missing(key)
      return 0
    }
    return reader.integer(value, path(key), type) ?? 0
  }

  func string(_ key: String, _ target: inout String) {
    guard let value = self[key], let found = reader.string(value, path(key)) else { return }
    target = found
  }

  func string(_ key: String, _ target: inout String?) {
    guard let value = self[key], let found = reader.string(value, path(key)) else { return }
    target = found
  }

  /// A string that must be there; empty with a mistake noted where it is not.
  func required(_ key: String) -> String {
    guard let value = self[key] else {
      missing(key)
      return ""
    }
    return reader.string(value, path(key)) ?? ""
  }

  func missing(_ key: String) {
    // What is no object was told already.
    guard value.members != nil else { return }
    reader.fail(value.position, path, "the key \"\(key)\" is missing")
  }

  func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _ target: inout Choice)
  where Choice.RawValue == String {
    guard let value = self[key] else { return }
    let found = reader.choice(value, path(key), Choice.allCases.map(\.rawValue)) { Choice(rawValue: $0) }
    if let found { target = found }
  }

  func integers<Integer: FixedWidthInteger>(_ key: String, _ target: inout [Integer]) {
    guard let value = self[key] else { return }
    target = reader.array(value, path(key)) { self.reader.integer($0, $1, Integer.self) }
  }

  func strings(_ key: String, _ target: inout [String]) {
    guard let value = self[key] else { return }
    target = reader.array(value, path(key)) { self.reader.string($0, $1) }
  }

  /// An object whose keys are numbers.
  func table(_ key: String, _ target: inout [UInt8: UInt32]) {
    guard let value = self[key] else { return }
    guard let members = value.members else { return reader.mismatch(value, path(key), "an object") }
    for member in members {
      let place = path(key) + "/" + JSONPointer.escape(member.key)
      guard let type = reader.number(member.key[...], UInt8.self) else {
        reader.fail(member.position, place, "expected a key from 0 to 255")
        continue
      }
      if let number = reader.integer(member.value, place, UInt32.self) { target[type] = number }
    }
  }
}
