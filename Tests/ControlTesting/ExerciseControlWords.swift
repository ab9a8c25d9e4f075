internal import ApusControl
internal import Host
internal import PositionedJSON

/// Gives any bytes to what people write and read: words as parameters of a method, an answer as lines.
public enum ExerciseControlWords {
  /// - Parameter bytes: the first one says which method; the others are words, a line to each, and also an answer.
  /// - Returns: whether the words were parameters.
  @discardableResult
  public static func run(_ bytes: some Collection<UInt8>) -> Bool {
    let methods = ControlCatalogue.methods
    let method = methods[Int(bytes.first ?? 0) % methods.count]
    let words = bytes.dropFirst().split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
    let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
    if let decoded = Base64.decode(text) {
      precondition(Base64.encode(decoded) == text, "what is no base64 is refused")
    }
    if let json = try? JSONParser.parse(text), let answer = try? ControlJSON(json, at: .answer) {
      show(answer)
    } else {
      show(ControlJSON(text: text))
    }
    return ask(method, words)
  }

  private static func ask(_ method: ControlCatalogue.MethodDescription, _ words: [String]) -> Bool {
    guard let parameters = try? ControlWords.parameters(of: method, words) else { return false }
    guard let json = try? JSONParser.parse(parameters.text), let members = json.members else {
      preconditionFailure("parameters are an object: \(parameters.text)")
    }
    let known = method.parameters.map(\.name)
    precondition(members.count == words.count && members.allSatisfy { known.contains($0.key) }, "each word is one")
    let control = FakeControl()
    do throws(ControlError) {
      for line in try control.table.answer([method.name] + words, within: .zero) { check(line) }
    } catch {
      let codes: [ControlError.Code] = [.invalidParameters, .refused, .notFound, .timedOut, .methodNotFound]
      precondition(codes.contains(error.code), "a request that can be read is answered: \(error)")
    }
    return true
  }

  /// Prints an answer as the command does.
  static func show(_ answer: ControlJSON) {
    let lines = ControlWords.lines(answer)
    for line in lines { check(line) }
    let length = lines.reduce(0) { $0 + $1.utf8.count }
    precondition(length <= ControlWords.maximumText + answer.text.utf8.count, "what is printed is bounded")
  }

  private static func check(_ line: String) {
    let isPlain = line.plain.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) }
    precondition(isPlain, "a terminal gets nothing to act upon")
  }
}
