internal import PositionedJSON

/// Every mistake of a file with a processor model.
public struct ModelFileError: Error, Equatable, Sendable, CustomStringConvertible {
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

    public var description: String { "\(line):\(column): \(path.isEmpty ? "/" : path): \(message)" }
  }

  /// In the order of the file; at most 50.
  public var mistakes: [Mistake]

  /// What to tell people of a file with that name.
  public func messages(for file: String) -> [String] { mistakes.map { "\(file):\($0)" } }

  public var description: String { mistakes.map(\.description).joined(separator: "\n") }
}

extension ProcessorModel {
  /// How many bytes a file may have.
  public static let fileSizeLimit = 256 << 10

  /// Reads a model's file. Documentation/CPUModels.md has its form.
  ///
  /// - Parameter json: UTF-8.
  /// - Throws: every mistake, with line, column and path.
  public init(json: [UInt8]) throws(ModelFileError) {
    guard json.count <= Self.fileSizeLimit else {
      let message = "a model's file has at most \(Self.fileSizeLimit) bytes, this one \(json.count)"
      throw ModelFileError(mistakes: [.init(line: 1, column: 1, path: "", message: message)])
    }
    let root: JSONValue
    do {
      root = try JSONParser.parse(json)
    } catch {
      throw ModelFileError(mistakes: [
        .init(line: error.position.line, column: error.position.column, path: "", message: error.message)
      ])
    }
    var reader = ModelFileReader()
    let model = reader.model(root)
    guard reader.mistakes.isEmpty else {
      throw ModelFileError(mistakes: reader.mistakes.sorted { ($0.line, $0.column) < ($1.line, $1.column) })
    }
    self = model
  }
}

/// Turns JSON into a model and collects what is not of the expected form.
struct ModelFileReader {
  private(set) var mistakes: [ModelFileError.Mistake] = []

  mutating func fail(_ value: JSONValue, _ path: String, _ message: String) {
    fail(at: value.position, path, message)
  }

  private mutating func fail(at position: JSONPosition, _ path: String, _ message: String) {
    guard mistakes.count < 50 else { return }
    let place = path.utf8.count <= 200 ? path : String(path.prefix(200)) + "…"
    mistakes.append(.init(line: position.line, column: position.column, path: place, message: message))
  }

  private static let keys = [
    "description", "fixed", "format", "name", "pmu", "pointerAuthentication", "psci", "registers", "services", "sve",
  ]

  mutating func model(_ root: JSONValue) -> ProcessorModel {
    var model = ProcessorModel(name: "")
    guard members(root, "", of: Self.keys) != nil else { return model }
    if let format = required(root, "format", "the number \(ProcessorModel.formatVersion)") {
      if format.integer(Int.self) != ProcessorModel.formatVersion {
        fail(format, "/format", "expected \(ProcessorModel.formatVersion), the form that this program knows")
      }
    }
    if let name = required(root, "name", "a model's name") { readName(name, &model) }
    if let summary = root["description"] {
      if let text = summary.string, text.utf8.count <= 200 {
        model.summary = text
      } else {
        fail(summary, "/description", "expected a string of at most 200 bytes")
      }
    }
    if let fixed = root["fixed"] { model.showsFixedFields = showsFixed(fixed, "/fixed") }
    if let version = root["psci"] { readVersion(version, &model) }
    if let services = root["services"] { readServices(services, &model) }
    if let vectors = root["sve"] { readVectors(vectors, &model) }
    if let monitors = root["pmu"] { readMonitors(monitors, &model) }
    if let authentication = root["pointerAuthentication"] {
      if authentication.boolean == nil { fail(authentication, "/pointerAuthentication", "expected true or false") }
      model.hasPointerAuthentication = authentication.boolean ?? false
    }
    if let registers = required(root, "registers", "an object with ID registers") { readRegisters(registers, &model) }
    return model
  }

  private mutating func required(_ root: JSONValue, _ key: String, _ what: String) -> JSONValue? {
    if root[key] == nil { fail(root, "/\(key)", "missing; expected \(what)") }
    return root[key]
  }

  /// - Returns: nil where it is no object. Other keys than these are mistakes.
  mutating func members(_ value: JSONValue, _ path: String, of keys: [String]?) -> [JSONValue.Member]? {
    guard let members = value.members else {
      fail(value, path, "expected an object, found \(value.kind)")
      return nil
    }
    if let keys {
      for member in members where !keys.contains(member.key) {
        let list = keys.joined(separator: ", ")
        fail(at: member.position, path + "/" + JSONPointer.escape(member.key), "unknown key; expected \(list)")
      }
    }
    return members
  }

  private mutating func readName(_ value: JSONValue, _ model: inout ProcessorModel) {
    guard let text = value.string, ProcessorModel.isName(text) else {
      fail(value, "/name", "expected 1 to 64 letters, digits, dots, hyphens and underscores")
      return
    }
    if text == "host" { fail(value, "/name", "is what the host's own model is called; give another name") }
    model.name = text
  }

  mutating func showsFixed(_ value: JSONValue, _ path: String) -> Bool {
    switch value.string {
    case "show": return true
    case "refuse": return false
    default:
      fail(value, path, "expected show or refuse")
      return false
    }
  }

  private mutating func readVersion(_ value: JSONValue, _ model: inout ProcessorModel) {
    switch value.string {
    case "1.0": model.psciVersion = 0x1_0000
    case "1.1": model.psciVersion = 0x1_0001
    default: fail(value, "/psci", "expected \"1.0\" or \"1.1\"")
    }
  }

  private mutating func readServices(_ value: JSONValue, _ model: inout ProcessorModel) {
    let known = FirmwareRegisters.bitmaps.flatMap(\.services).filter(\.isExposed).map(\.name)
    var services: [String] = []
    guard let elements = value.array else {
      fail(value, "/services", "expected an array of \(known.joined(separator: ", "))")
      return
    }
    for (index, element) in elements.enumerated() {
      if let name = element.string, known.contains(name), !services.contains(name) {
        services.append(name)
      } else {
        fail(element, "/services/\(index)", "expected one of \(known.joined(separator: ", ")), each once")
      }
    }
    model.services = services
  }

  private mutating func readVectors(_ value: JSONValue, _ model: inout ProcessorModel) {
    guard members(value, "/sve", of: ["lengths"]) != nil else { return }
    guard let list = value["lengths"], let elements = list.array, !elements.isEmpty else {
      fail(value["lengths"] ?? value, "/sve/lengths", "expected an array of lengths in bytes, such as [16, 32]")
      return
    }
    for (index, element) in elements.enumerated() {
      let length = element.integer(Int.self) ?? 0
      if length >= 16, length <= 256, length % 16 == 0, length > model.vectorLengths.last ?? 0 {
        model.vectorLengths.append(length)
      } else {
        fail(element, "/sve/lengths/\(index)", "expected a multiple of 16 up to 256, in ascending order")
      }
    }
    if model.vectorLengths.first != 16 { fail(list, "/sve/lengths", "the first length is 16: every processor has it") }
  }

  private mutating func readMonitors(_ value: JSONValue, _ model: inout ProcessorModel) {
    guard members(value, "/pmu", of: ["counters"]) != nil else { return }
    model.monitors = ProcessorModel.Monitors()
    guard let counters = value["counters"] else { return }
    if let number = counters.integer(Int.self), (0...31).contains(number) {
      model.monitors?.counters = number
    } else {
      fail(counters, "/pmu/counters", "expected a number from 0 to 31")
    }
  }
}

extension ProcessorModel {
  /// Whether a model may be called so.
  public static func isName(_ text: String) -> Bool {
    guard (1...64).contains(text.utf8.count) else { return false }
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
        continue
      default: return false
      }
    }
    return true
  }
}
