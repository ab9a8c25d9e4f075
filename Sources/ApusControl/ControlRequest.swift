internal import PositionedJSON

/// A request as it came.
struct ControlRequest {
  /// By which the answer finds its request; nil where none is wanted.
  var identifier: Identifier?
  var method: String
  var parameters: JSONValue

  /// A request's identifier, which comes back as it is.
  enum Identifier: Sendable {
    case null
    case number(String)
    case string(String)

    func write(to writer: inout ControlWriter) {
      switch self {
      case .null: writer.null()
      case .number(let digits): writer.raw(digits.utf8)
      case .string(let text): writer.string(text)
      }
    }
  }

  /// What a line comes to.
  enum Line {
    case one(Result<ControlRequest, Refusal>)
    /// They are answered together, in an array.
    case batch([Result<ControlRequest, Refusal>])
  }

  /// A request that cannot be one, and whose it was where that can be seen; nil for a notification.
  struct Refusal: Error {
    var identifier: Identifier? = .null
    var error: ControlError
  }

  /// Reads a line.
  static func read(_ line: [UInt8]) -> Line {
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONParser.parse(line, maximumDepth: ControlProtocol.maximumDepth)
    } catch {
      let message = "this is no JSON: at byte \(error.position.column) \(error.message)"
      return .one(.failure(Refusal(error: ControlError(.parse, message))))
    }
    if let elements = json.array {
      guard !elements.isEmpty else {
        return .one(.failure(Refusal(error: ControlError(.invalidRequest, "an empty array asks for nothing"))))
      }
      guard elements.count <= ControlProtocol.maximumBatch else {
        let message = "a batch of \(elements.count) requests; send at most \(ControlProtocol.maximumBatch) at once"
        return .one(.failure(Refusal(error: ControlError(.invalidRequest, message))))
      }
      return .batch(elements.map(request))
    }
    return .one(request(json))
  }

  private static func request(_ json: JSONValue) -> Result<ControlRequest, Refusal> {
    func refuse(_ message: String, _ identifier: Identifier = .null) -> Result<ControlRequest, Refusal> {
      .failure(Refusal(identifier: identifier, error: ControlError(.invalidRequest, message)))
    }
    guard json.members != nil else {
      return refuse(
        "\(json.summary) is no request; send an object such as {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"info\"}"
      )
    }
    var identifier: Identifier?
    switch json["id"]?.content {
    case nil: break
    case .null?: identifier = .null
    case .number(let digits)? where digits.utf8.count <= 40: identifier = .number(digits)
    case .string(let text)? where text.utf8.count <= 256: identifier = .string(text)
    default: return refuse("id has to be a string of at most 256 bytes or a number of at most 40 digits")
    }
    guard json["jsonrpc"]?.string == "2.0" else {
      return refuse("jsonrpc has to be \"2.0\"; other versions are not spoken here", identifier ?? .null)
    }
    guard let method = json["method"]?.string else {
      return refuse("method has to be there, and a string", identifier ?? .null)
    }
    let parameters = json["params"] ?? JSONValue(.object([]), at: json.position)
    guard parameters.members != nil else {
      // Parameters by place are a request's, too, and so perhaps a notification's, which is not answered (4.1, 4.2).
      return .failure(
        Refusal(
          identifier: parameters.array != nil ? identifier : identifier ?? .null,
          error: ControlError(.invalidParameters, "params: parameters go by their names, in an object")
        )
      )
    }
    return .success(ControlRequest(identifier: identifier, method: method, parameters: parameters))
  }
}

/// What stands on the wire, without its line feed.
package enum ControlMessage {
  /// More of an error's message is not sent, in bytes: it may repeat what was asked, which may be long.
  package static let maximumErrorText = 4096

  static func request(_ method: String, _ parameters: some ControlValue, number: UInt64) -> [UInt8] {
    var writer = start()
    writer.key("id")
    writer.integer(number)
    writer.key("method")
    writer.string(method)
    writer.key("params")
    parameters.write(to: &writer)
    writer.endObject()
    return writer.bytes
  }

  static func answer(_ result: some ControlRecord, to identifier: ControlRequest.Identifier) -> [UInt8] {
    var writer = start()
    writer.key("id")
    identifier.write(to: &writer)
    writer.key("result")
    result.write(to: &writer)
    writer.endObject()
    return writer.bytes
  }

  static func error(_ error: ControlError, to identifier: ControlRequest.Identifier) -> [UInt8] {
    var writer = start()
    writer.key("id")
    identifier.write(to: &writer)
    writer.key("error")
    writer.beginObject()
    writer.key("code")
    writer.integer(error.code.rawValue)
    writer.key("message")
    writer.string(cut(error.message))
    writer.endObject()
    writer.endObject()
    return writer.bytes
  }

  static func notice<Notice: ControlNotice>(
    _ notice: Notice.Type,
    _ envelope: ControlEnvelope,
    _ content: Notice.Content
  ) -> [UInt8] {
    var writer = start()
    writer.key("method")
    writer.string(Notice.name)
    writer.key("params")
    writer.beginObject()
    envelope.writeFields(to: &writer)
    content.writeFields(to: &writer)
    writer.endObject()
    writer.endObject()
    return writer.bytes
  }

  private static func cut(_ text: String) -> String {
    guard text.utf8.count > maximumErrorText else { return text }
    var end = text.utf8.index(text.startIndex, offsetBy: maximumErrorText)
    while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
    return text[..<end] + "…"
  }

  /// Several answers in one.
  static func batch(_ answers: [[UInt8]]) -> [UInt8] {
    var writer = ControlWriter()
    writer.beginArray()
    for answer in answers { writer.raw(answer) }
    writer.endArray()
    return writer.bytes
  }

  private static func start() -> ControlWriter {
    var writer = ControlWriter()
    writer.beginObject()
    writer.key("jsonrpc")
    writer.string("2.0")
    return writer
  }
}
