import Foundation
import PositionedJSON
import SCMI
import SCMIFile
import Testing

/// The published schema and the reader of platform files know the same keys and words.
@Suite struct SchemaTests {
  /// A place in the schema at which a value of a platform file is described.
  private struct Place {
    /// Around the value, with all that is required beside it.
    var prefix = ""
    var suffix = ""
    /// A JSON pointer into a platform file.
    var path = ""
    var schema: JSONValue
    /// What the reader may know of there besides: the keys of other forms that the value can have.
    var others: Set<String> = []
    /// Whether the value can have other forms.
    var isOneOfSeveral = false

    func inside(_ prefix: String, _ suffix: String, _ key: String, _ schema: JSONValue) -> Place {
      Place(prefix: self.prefix + prefix, suffix: suffix + self.suffix, path: "\(path)/\(key)", schema: schema)
    }
  }

  private let root: JSONValue

  init() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    root = try JSONParser.parse(
      try String(contentsOf: folder.appending(path: "Documentation/SCMIPlatform.schema.json"), encoding: .utf8)
    )
  }

  private func mistakes(_ place: Place, _ value: String) -> [PlatformFileError.Mistake] {
    do {
      _ = try PlatformDefinition(json: place.prefix + value + place.suffix)
      return []
    } catch {
      return error.mistakes
    }
  }

  /// A schema without its reference.
  private func resolved(_ schema: JSONValue) throws -> JSONValue {
    guard let reference = schema["$ref"]?.string else { return schema }
    return try #require(root["$defs"]?[String(reference.dropFirst("#/$defs/".count))], "\(reference)")
  }

  private func keys(_ schema: JSONValue) -> [String] { schema["properties"]?.members?.map(\.key) ?? [] }

  private func required(_ schema: JSONValue) -> [String] { schema["required"]?.array?.compactMap(\.string) ?? [] }

  /// The value and all inside it, each form of its own.
  private func places(from place: Place) throws -> [Place] {
    var place = place
    // Nodes have nodes: one level of them says it all.
    guard !place.path.hasSuffix("/children/0/children/0") else { return [] }
    place.schema = try resolved(place.schema)
    if let forms = place.schema["anyOf"]?.array {
      let all = try forms.map(resolved)
      return try all.flatMap { form in
        var place = place
        place.schema = form
        place.others = Set(all.flatMap(keys))
        place.isOneOfSeveral = true
        return try places(from: place)
      }
    }
    var result = [place]
    for member in place.schema["properties"]?.members ?? [] {
      let beside = required(place.schema).filter { $0 != member.key }.map { "\"\($0)\": null, " }.joined()
      result += try places(from: place.inside("{\(beside)\"\(member.key)\": ", "}", member.key, member.value))
    }
    if let items = place.schema["items"] {
      result += try places(from: place.inside("[", "]", "0", items))
    }
    return result
  }

  @Test func readerKnowsTheKeysOfTheSchemaAndNoOthers() throws {
    let objects = try places(from: Place(schema: root)).filter { !keys($0.schema).isEmpty }

    for place in objects {
      let beside = required(place.schema).map { "\"\($0)\": null, " }.joined()
      let mistake = mistakes(place, "{\(beside)\"?\": 0}").first { $0.path == place.path + "/?" }
      let known = Set(
        (mistake?.message.dropFirst("unknown key; expected ".count) ?? "").split(separator: ", ").map(String.init)
      )
      #expect(known.isSuperset(of: keys(place.schema)), "\(place.path)")
      #expect(known.isSubset(of: place.others.union(keys(place.schema))), "\(place.path)")
    }
    #expect(objects.count > 60)
  }

  @Test func readerMissesWhatTheSchemaRequires() throws {
    let objects = try places(from: Place(schema: root)).filter { !$0.isOneOfSeveral && !$0.path.isEmpty }

    for place in objects {
      let mistakes = mistakes(place, "{}").filter { $0.path == place.path }.map(\.message)
      for key in required(place.schema) {
        #expect(mistakes.contains("the key \"\(key)\" is missing"), "\(place.path)")
      }
    }
  }

  @Test func readerKnowsTheWordsOfTheSchemaAndNoOthers() throws {
    let words = try places(from: Place(schema: root)).filter { place in
      place.schema["enum"]?.array?.first?.string != nil
    }

    for place in words {
      let mistake = mistakes(place, "\"?\"").first { $0.path == place.path }
      let message = mistake?.message.components(separatedBy: ", found").first ?? ""
      let text = message.components(separatedBy: "one of ").last ?? ""
      let known = Set(text.split(separator: ", ").map(String.init))
      #expect(known == Set(place.schema["enum"]?.array?.compactMap(\.string) ?? []), "\(place.path)")
    }
    #expect(words.count > 20)
  }
}
