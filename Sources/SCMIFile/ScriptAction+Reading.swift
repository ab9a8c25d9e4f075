internal import PositionedJSON
public import SCMI

extension ScriptAction {
  /// Reads what a step of a script does, as it stands in a platform file, but without its time: `{"set": "clocks/uart",
  /// "value": 24000000}`.
  ///
  /// - Parameters:
  ///   - json: UTF-8.
  ///   - definition: of the platform; what the action names has to be in it.
  /// - Throws: every mistake, with its place.
  public init(json: String, in definition: PlatformDefinition) throws(PlatformFileError) {
    let root = try Self.parse(json)
    let reader = PlatformFileReader()
    let action = reader.action(root)
    try self.init(action, reader, root, definition)
  }

  /// Reads a rule of misbehaviour, as it stands in a platform file, which holds from then on.
  ///
  /// - Parameters:
  ///   - rule: UTF-8.
  ///   - definition: of the platform; what the rule names has to be in it.
  /// - Throws: every mistake, with its place.
  public init(addingRule rule: String, in definition: PlatformDefinition) throws(PlatformFileError) {
    let root = try Self.parse(rule)
    let reader = PlatformFileReader()
    let action = reader.rule(root, "").map { ScriptAction.addRule($0) }
    try self.init(action, reader, root, definition, within: "/addRule")
  }

  private static func parse(_ json: String) throws(PlatformFileError) -> JSONValue {
    do throws(JSONError) {
      return try JSONParser.parse(json)
    } catch {
      throw PlatformFileError(mistakes: [
        .init(line: error.position.line, column: error.position.column, path: "", message: error.message)
      ])
    }
  }

  private init(
    _ action: ScriptAction?,
    _ reader: PlatformFileReader,
    _ root: JSONValue,
    _ definition: PlatformDefinition,
    within place: String = ""
  ) throws(PlatformFileError) {
    guard reader.mistakes.isEmpty, let action else {
      throw PlatformFileError(mistakes: reader.mistakes, omitted: reader.omitted)
    }
    let errors = definition.mistakes(in: action)
    guard errors.isEmpty else {
      let mistakes = errors.prefix(PlatformFileError.limit).map { error in
        // The text is what stands at that place.
        let path = error.path.hasPrefix(place) ? String(error.path.dropFirst(place.count)) : error.path
        return PlatformFileError.Mistake(DefinitionError(path: path, message: error.message), in: root)
      }
      throw PlatformFileError(mistakes: mistakes, omitted: errors.count - mistakes.count)
    }
    self = action
  }
}
