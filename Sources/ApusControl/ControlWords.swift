internal import PositionedJSON

/// Requests and answers as people write and read them.
public enum ControlWords {
  /// The parameters of a method from words: `name=value`, or a value alone for the first parameter that has to be there
  /// and has none yet.
  ///
  /// Whole numbers may be hexadecimal (`0x1F`) or end in K, M, G or T, which are powers of 1024; elements of arrays are
  /// separated by commas.
  ///
  /// - Throws: ``ControlError`` for words that are no parameters of the method's.
  public static func parameters(
    of method: ControlCatalogue.MethodDescription,
    _ words: [String]
  ) throws(ControlError) -> ControlJSON {
    var values: [(name: String, value: String, schema: ControlSchema)] = []
    for word in words {
      let (property, value) = try split(word, method, known: values.map(\.name))
      guard !values.contains(where: { $0.name == property.name }) else {
        throw ControlError(.invalidParameters, "\(property.name) is there twice; give it once")
      }
      values.append((property.name, value, property.schema))
    }
    var writer = ControlWriter()
    writer.beginObject()
    for value in values {
      writer.key(value.name)
      try write(value.value, value.schema, value.name, to: &writer)
    }
    writer.endObject()
    return ControlJSON(text: String(decoding: writer.bytes, as: UTF8.self))
  }

  private static func split(
    _ word: String,
    _ method: ControlCatalogue.MethodDescription,
    known: [String]
  ) throws(ControlError) -> (property: ControlSchema.Property, value: String) {
    if let sign = word.firstIndex(of: "=") {
      let name = word[..<sign]
      if let property = method.parameters.first(where: { $0.name == name }) {
        return (property, String(word[word.index(after: sign)...]))
      }
    }
    let wanted = method.parameters.first { $0.isRequired && !known.contains($0.name) }
    if let wanted { return (wanted, word) }
    let names = method.parameters.map(\.name).joined(separator: ", ")
    let hint = names.isEmpty ? "it takes none" : "it takes \(names), each as NAME=VALUE"
    throw ControlError(.invalidParameters, "'\(word)' is no parameter of \(method.name): \(hint)")
  }

  private static func write(
    _ text: String,
    _ schema: ControlSchema,
    _ name: String,
    to writer: inout ControlWriter
  ) throws(ControlError) {
    func wrong(_ wanted: String) -> ControlError {
      ControlError(.invalidParameters, "\(name): '\(text)' is \(wanted)")
    }
    switch schema {
    case .optional(let schema): try write(text, schema, name, to: &writer)
    case .string: writer.string(text)
    case .boolean:
      switch text {
      case "true", "yes", "on", "up": writer.boolean(true)
      case "false", "no", "off", "down": writer.boolean(false)
      default: throw wrong("neither true nor false")
      }
    case .integer:
      switch wholeNumber(text) {
      case .digits(let digits): writer.raw(digits.utf8)
      case .wrong(let what): throw wrong(what)
      }
    case .number:
      guard let number = Double(text), number.isFinite else { throw wrong("no number") }
      writer.number(number)
    case .enumeration(let words):
      guard words.contains(text) else { throw wrong("not known; give \(words.joined(separator: ", "))") }
      writer.string(text)
    case .array(let element):
      writer.beginArray()
      for part in text.split(separator: ",") { try write(String(part), element, name, to: &writer) }
      writer.endArray()
    case .object, .any:
      do throws(JSONError) {
        ControlJSON.write(try JSONParser.parse(text), to: &writer)
      } catch {
        throw wrong("no JSON: \(error.message)")
      }
    }
  }

  /// A text that is to be a whole number.
  private enum WholeNumber {
    /// Its digits, as JSON has them.
    case digits(String)
    /// What it is instead.
    case wrong(String)

    static let none = WholeNumber.wrong("no whole number; give one such as 4096, 0x1000 or 2G")
    static let tooLarge = WholeNumber.wrong("too large; the most is \(UInt64.max)")
  }

  private static func wholeNumber(_ text: String) -> WholeNumber {
    let isNegative = text.hasPrefix("-")
    let rest = isNegative ? text.dropFirst() : text[...]
    let number: UInt64?
    var shift: UInt64 = 0
    if rest.lowercased().hasPrefix("0x") {
      let digits = rest.dropFirst(2)
      guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return .none }
      number = UInt64(digits, radix: 16)
    } else {
      let digits = rest.prefix { $0.isASCII && $0.isWholeNumber }
      let unit = rest.dropFirst(digits.count)
      guard !digits.isEmpty, unit.allSatisfy({ $0.isASCII && $0.isLetter }) else { return .none }
      switch unit.lowercased() {
      case "": break
      case "k": shift = 10
      case "m": shift = 20
      case "g": shift = 30
      case "t": shift = 40
      default: return .wrong("a number with an unknown unit; give K, M, G or T, which are powers of 1024")
      }
      number = UInt64(digits)
    }
    guard let number else { return .tooLarge }
    let (product, isTooLarge) = number.multipliedReportingOverflow(by: 1 << shift)
    return isTooLarge ? .tooLarge : .digits((isNegative ? "-" : "") + "\(product)")
  }

  /// More text than this is not made of an answer, in bytes: each line repeats the keys that lead there.
  package static let maximumText = 16 << 20

  /// What ``lines(_:)`` has made so far.
  private struct Lines {
    var lines: [String] = []
    var room = ControlWords.maximumText

    mutating func add(_ path: String, _ text: String) {
      room -= path.utf8.count + text.utf8.count + 2
      if room >= 0 { lines.append("\(path): \(text)") }
    }
  }

  /// An answer for people: a line to each value, with the keys that lead there; nothing for what is not there.
  ///
  /// - Returns: the JSON as it is where there would be too much.
  public static func lines(_ answer: ControlJSON) -> [String] {
    guard let json = try? JSONParser.parse(answer.text) else { return [answer.text] }
    var lines = Lines()
    addLines(json, "", to: &lines)
    return lines.room >= 0 ? lines.lines : [answer.text]
  }

  private static func addLines(_ json: JSONValue, _ path: String, to lines: inout Lines) {
    guard lines.room >= 0 else { return }
    switch json.content {
    case .null: break
    case .boolean(let value): lines.add(path, value ? "yes" : "no")
    case .number(let digits): lines.add(path, digits)
    case .string(let text): lines.add(path, text)
    case .array(let elements):
      if elements.allSatisfy({ $0.array == nil && $0.members == nil }) {
        if !elements.isEmpty { lines.add(path, elements.map(plain).joined(separator: " ")) }
        return
      }
      for (index, element) in elements.enumerated() {
        // What has a name is known by it.
        let name = element["name"]?.string ?? "\(index)"
        addLines(element, path.isEmpty ? name : "\(path) \(name)", to: &lines)
      }
    case .object(let members):
      for member in members {
        if member.key == "name", !path.isEmpty { continue }
        addLines(member.value, path.isEmpty ? member.key : "\(path) \(member.key)", to: &lines)
      }
    }
  }

  private static func plain(_ json: JSONValue) -> String {
    switch json.content {
    case .string(let text): text
    case .number(let digits): digits
    case .boolean(let value): value ? "yes" : "no"
    default: "-"
    }
  }

  /// JSON over several lines, for people who read it.
  public static func indented(_ json: ControlJSON) -> String {
    guard let value = try? JSONParser.parse(json.text) else { return json.text }
    var text = ""
    indent(value, 0, &text)
    return text
  }

  private static func indent(_ json: JSONValue, _ depth: Int, _ text: inout String) {
    let space = String(repeating: "  ", count: depth)
    switch json.content {
    case .array(let elements) where !elements.isEmpty:
      text += "[\n"
      for (index, element) in elements.enumerated() {
        text += space + "  "
        indent(element, depth + 1, &text)
        text += index + 1 < elements.count ? ",\n" : "\n"
      }
      text += space + "]"
    case .object(let members) where !members.isEmpty:
      text += "{\n"
      for (index, member) in members.enumerated() {
        var writer = ControlWriter()
        writer.string(member.key)
        text += space + "  " + String(decoding: writer.bytes, as: UTF8.self) + ": "
        indent(member.value, depth + 1, &text)
        text += index + 1 < members.count ? ",\n" : "\n"
      }
      text += space + "}"
    default:
      var writer = ControlWriter()
      ControlJSON.write(json, to: &writer)
      text += String(decoding: writer.bytes, as: UTF8.self)
    }
  }
}
