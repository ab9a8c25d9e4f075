internal import ApusControl

/// Inputs that good clients and machines, and some others, would send, for a fuzzer to begin with.
public enum ControlSeeds {
  /// For ``ExerciseControl``.
  public static var server: [[UInt8]] {
    let lines = ControlCatalogue.methods.enumerated().map { number, method in
      let parameters = method.parameters.map { "\"\($0.name)\":\(sample($0.schema))" }.joined(separator: ",")
      return #"{"jsonrpc":"2.0","id":\#(number),"method":"\#(method.name)","params":{\#(parameters)}}"#
    }
    let subscribe = #"{"jsonrpc":"2.0","id":"s","method":"console.subscribe"}"# + "\n"
    let later = #"{"jsonrpc":"2.0","id":1,"method":"pause"}"# + "\n"
    let notification = #"{"jsonrpc":"2.0","method":"info","params":[1]}"#
    func script(_ header: UInt8, _ piece: UInt8, _ parts: [[UInt8]]) -> [UInt8] { [header, piece] + parts.joined() }
    func text(_ text: String) -> [UInt8] { Array(text.utf8) }
    return lines.map { script(0, 0, [text($0 + "\n")]) } + [
      script(0, 7, [text("[" + lines.prefix(5).joined(separator: ",") + "," + notification + "]\n[]\n[1]\n{}\n")]),
      script(1, 0, [text(later), [0x10, 0x0E, 100, UInt8(later.utf8.count), 0x10, 0], text(subscribe), [0x10, 4]]),
      script(0, 0, [text(subscribe), [0x10, 0x0E, 20, UInt8(subscribe.utf8.count)], [0x10, 1, 0x10, 3, 0x10, 1]]),
      // A batch of 64, and one more.
      script(
        0,
        0,
        [text("["), text(#"{"jsonrpc":"2.0","id":1,"method":"pause"},"#), [0x10, 0x0E, 62, 42], text("1]\n")]
      ),
      script(0, 0, [text("[1"), text(",1"), [0x10, 0x0E, 64, 2], text("]\n")]),
      // Lines of 1 MiB and more, and nesting.
      script(0, 0, [[0x10, 0x0D, 0x20, 0xF0], text("1\n")]), script(0, 0, [text("[1]\n"), [0x10, 0x0D, 0x5B, 0xF2]]),
      script(0, 0, [text(#"{"a":"#), [0x10, 0x0D, 0x5B, 5, 0x10, 0x0D, 0x5D, 5], text("}\n")]),
      // A client that reads nothing, of a socket that takes little.
      script(
        4,
        0,
        [
          text(subscribe), [0x10, 5], text(lines[3] + "\n"), [0x10, 0x0E, 30, UInt8(lines[3].utf8.count + 1)],
          [0x10, 1, 0x10, 1, 0x10, 5, 0x10, 1],
        ]
      ),
      script(0, 0, [[0x10, 0x0F, 22, 9], text(#"{"resource":"clocks/a","value":-1}}"# + "\n"), [0x10, 3]]),
    ]
  }

  /// For ``ExerciseControlClient``.
  public static var client: [[UInt8]] {
    let answers = ControlCatalogue.methods.map { sample($0.answer) }
    let notices = ControlCatalogue.notices.map { notice in
      #"{"jsonrpc":"2.0","method":"\#(notice.name)","params":\#(sample(notice.content))}"# + "\n"
    }
    func answer(_ identifier: String, _ result: String) -> String {
      #"{"jsonrpc":"2.0","id":\#(identifier),"result":\#(result)}"# + "\n"
    }
    let error = #"{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"no\u001b"}}"# + "\n"
    let strange = [answer("9", "{}"), answer("\"x\"", "{}"), answer("null", "{}"), "{}\n[]\n{"].joined()
    // A seed at a time: of one expression for all the compiler does not find the type.
    var seeds: [[UInt8]] = []
    func add(_ head: [UInt8], _ text: String, _ tail: [UInt8] = []) { seeds.append(head + Array(text.utf8) + tail) }
    add([0, 0], answer("1", answers[0]))
    add([1, 1], notices.joined() + error + answer("3", answers[1]))
    add([3, 30], strange)
    add([1, 30], "[", [0x10, 0x0D, 0x20, 0xF2] + Array("]\n".utf8))
    add([1, 30], notices.joined(), [0x10, 0x0E, 255, 120])
    for (number, result) in answers.enumerated() {
      add([1, UInt8(number)], (2..<6).map { answer("\($0)", result) }.joined())
    }
    return seeds
  }

  /// For ``ExerciseControlWords``.
  public static var words: [[UInt8]] {
    ControlCatalogue.methods.enumerated().map { number, method in
      [UInt8(number)] + method.parameters.map { "\($0.name)=\(word($0.schema))" }.joined(separator: "\n").utf8
    }
      + ControlCatalogue.methods.map { [0] + sample($0.answer).utf8 }
  }

  private static func sample(_ schema: ControlSchema) -> String {
    switch schema {
    case .boolean: "true"
    case .integer: "1"
    case .number: "0.5"
    case .string: "\"a\""
    case .enumeration(let words): "\"\(words[0])\""
    case .array(let element): "[\(sample(element)),\(sample(element))]"
    case .object(let properties):
      "{" + properties.map { "\"\($0.name)\":\(sample($0.schema))" }.joined(separator: ",") + "}"
    case .optional(let schema): sample(schema)
    case .any: #"{"a":[null,1e3,"\u00e9"]}"#
    }
  }

  private static func word(_ schema: ControlSchema) -> String {
    switch schema {
    case .boolean: "yes"
    case .integer: "2G"
    case .string: "a"
    case .array(let element): "\(word(element)),\(word(element))"
    case .optional(let schema): word(schema)
    case .enumeration(let words): words[0]
    default: sample(schema)
    }
  }
}
