internal import Host
internal import PositionedJSON
internal import SCMIFile

/// A fleet's configuration in a file: JSON, in which a mistake has its line and column.
public struct FleetFile: Sendable {
  /// The file.
  public let path: String
  /// What stands there; relative paths in it go from the file's folder.
  public let configuration: Fleet.Configuration
  private let text: JSONValue

  /// Reads a file.
  ///
  /// - Throws: every mistake in the file's form, those of several machines at once.
  public init(path: String) throws(FleetFileError) {
    let bytes: [UInt8]
    do throws(InputFileError) {
      bytes = try InputFile.read(path)
    } catch {
      throw FleetFileError(kind: error.kind, messages: ["\(error)"])
    }
    try self.init(bytes, at: path)
  }

  /// - Parameter path: for messages, and where relative paths go from.
  /// - Throws: as ``init(path:)``.
  init(_ bytes: [UInt8], at path: String) throws(FleetFileError) {
    let text: JSONValue
    do throws(JSONError) {
      text = try JSONParser.parse(bytes)
    } catch {
      throw FleetFileError(kind: .badInput, messages: ["\(path):\(error.position): \(error.message)".plain])
    }
    self.path = path
    self.text = text
    var mistakes = Self.machineMistakes(text)
    do {
      configuration = try Fleet.Configuration(from: JSONValueDecoder(text)).relative(to: HostPath.folder(of: path))
    } catch let error as DecodingError {
      // Those in the machines have been found one by one.
      if mistakes.isEmpty || error.place.count < 2 { mistakes.append(error) }
      throw FleetFileError(kind: .badInput, messages: Self.bounded(mistakes, path) { Self.message($0, path, text) })
    } catch {
      throw FleetFileError(kind: .badInput, messages: ["\(path): \(error)".plain])
    }
  }

  /// What is wrong with each machine that cannot be decoded.
  private static func machineMistakes(_ text: JSONValue) -> [DecodingError] {
    let key = CodedKey(.machines)
    guard case .array(let machines)? = text[key.stringValue]?.content else { return [] }
    return machines.enumerated().compactMap { index, machine in
      do {
        _ = try Configuration(from: JSONValueDecoder(machine, at: [key, IndexKey(index)]))
        return nil
      } catch {
        return error as? DecodingError
      }
    }
  }

  private static func message(_ error: DecodingError, _ path: String, _ text: JSONValue) -> String {
    let position = text.position(of: error.place.map { $0.intValue.map(String.init) ?? $0.stringValue })
    return "\(path):\(position): \(error.text)".plain
  }

  /// At most as many as of a platform file.
  private static func bounded<Mistake>(
    _ mistakes: [Mistake],
    _ path: String,
    _ message: (Mistake) -> String
  ) -> [String] {
    let told = mistakes.prefix(PlatformFileError.limit)
    let note = PlatformFileError.note(omitted: mistakes.count - told.count)
    return told.map(message) + [note].compactMap(\.self).map { "\(path): \($0)".plain }
  }

  /// The mistakes that were found in the configuration, each with the place in the file where it stands; of very many
  /// the first ones.
  public func messages(_ error: FleetError) -> [String] { Self.bounded(error.problems, path, message) }

  /// A mistake that was found in the configuration, with the place in the file where it stands.
  public func message(_ problem: FleetError.Problem) -> String {
    let words = problem.place.description.split { $0 == "." || $0 == "[" || $0 == "]" }.map(String.init)
    return "\(path):\(text.position(of: words)): \(problem)".plain
  }
}

/// Why a file is no fleet's configuration.
public struct FleetFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What kind of failure it is.
  public let kind: FailureKind
  /// A line for each mistake, for any terminal.
  public let messages: [String]

  /// Each mistake on a line.
  public var description: String { messages.joined(separator: "\n") }
}

extension JSONValue {
  /// Where the deepest value of a path stands that is there: a key's place, or an element's.
  fileprivate func position(of path: [String]) -> JSONPosition {
    var (value, place) = (self, position)
    for word in path {
      switch value.content {
      case .object(let members):
        guard let member = members.first(where: { $0.key == word }) else { return place }
        (value, place) = (member.value, member.position)
      case .array(let elements):
        guard let index = Int(word), elements.indices.contains(index) else { return place }
        (value, place) = (elements[index], elements[index].position)
      default: return place
      }
    }
    return place
  }
}

extension DecodingError {
  private var context: Context? {
    switch self {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
      .dataCorrupted(let context):
      context
    @unknown default: nil
    }
  }

  fileprivate var place: [any CodingKey] { context?.codingPath ?? [] }

  /// What is wrong, with its path. The standard library's own mistakes have none in their words.
  fileprivate var text: String {
    guard let context else { return "\(self)" }
    guard case .dataCorrupted(let mistake) = DecodingError.mistake("", at: context.codingPath) else { return "" }
    let path = mistake.debugDescription
    return context.debugDescription.utf8.starts(with: path.utf8)
      ? context.debugDescription : path + context.debugDescription
  }
}
