import ApusControl
import PositionedJSON
import TestSupport
import Testing

/// What the server says to what stands in a line.
@Suite("Control messages") struct ControlMessageTests {
  @Test(
    "A line that is no request is refused by what is wrong with it",
    arguments: [
      ("nonsense", "null", -32700, "this is no JSON"),
      ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.echo\"", "null", -32700, "this is no JSON"),
      ("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"a\"}", "null", -32700, "id"),
      ("1", "null", -32600, "is no request; send an object"),
      ("\"info\"", "null", -32600, "is no request; send an object"),
      ("null", "null", -32600, "is no request"),
      ("[]", "null", -32600, "an empty array asks for nothing"),
      ("{}", "null", -32600, "jsonrpc has to be \"2.0\""),
      (#"{"jsonrpc":"1.0","id":7,"method":"test.echo"}"#, "7", -32600, "jsonrpc has to be"),
      (#"{"jsonrpc":2.0,"id":7,"method":"test.echo"}"#, "7", -32600, "jsonrpc has to be"),
      (#"{"jsonrpc":"2.0","id":"a"}"#, "\"a\"", -32600, "method has to be there"),
      (#"{"jsonrpc":"2.0","id":1,"method":5}"#, "1", -32600, "method has to be there"),
      (#"{"jsonrpc":"2.0","id":{},"method":"a"}"#, "null", -32600, "id has to be a string"),
      (#"{"jsonrpc":"2.0","id":true,"method":"a"}"#, "null", -32600, "id has to be a string"),
      (#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":["a"]}"#, "1", -32602, "in an object"),
      (#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":null}"#, "1", -32602, "in an object"),
      (#"{"jsonrpc":"2.0","id":1,"method":"frob"}"#, "1", -32601, "there is no method 'frob'; 'schema' has them all"),
      (#"{"jsonrpc":"2.0","id":1,"method":"Test.Echo"}"#, "1", -32601, "did you mean 'test.echo'?"),
      (#"{"jsonrpc":"2.0","id":1,"method":""}"#, "1", -32601, "there is no method ''"),
    ]
  )
  func refusals(line: String, id: String, code: Int, words: String) throws {
    let service = try ControlService()
    let client = try RawClient(service.path)

    let answer = try client.ask(line)

    let object = jsonObject(answer ?? "")
    #expect(answer?.contains("\"id\":\(id),") == true, "\(answer ?? "")")
    guard case .object(let error)? = object?["error"] else {
      Issue.record("no error: \(answer ?? "")")
      return
    }
    #expect(error["code"] == .number(Double(code)))
    if case .text(let message)? = error["message"] { #expect(message.contains(words), "\(message)") }
    // The connection goes on.
    #expect(try client.ask(#"{"jsonrpc":"2.0","id":9,"method":"hello"}"#)?.contains("\"id\":9,\"result\"") == true)
  }

  @Test(
    "Parameters that are not the method's are refused by their names",
    arguments: [
      ("{}", "'text' is missing. It is: A text."), (#"{"text":1}"#, "text: 1 is no string"),
      (#"{"text":null}"#, "is no string"),
      (#"{"text":"","txt":1}"#, "txt: there is no such parameter; give text, count,"),
      (#"{"text":"","count":-1}"#, "count: -1 is no whole number from 0 to 18446744073709551615"),
      (#"{"text":"","count":1.5}"#, "count: 1.5 is no whole number"),
      (#"{"text":"","count":18446744073709551616}"#, "count: 18446744073709551616 is no whole number"),
      (#"{"text":"","count":"1"}"#, "count: \"1\" is no whole number"),
      (#"{"text":"","small":2147483648}"#, "small: 2147483648 is no whole number from -2147483648 to 2147483647"),
      (#"{"text":"","flag":1}"#, "flag: 1 is no boolean; give true or false"),
      (#"{"text":"","ratio":[]}"#, "ratio: an array is no number"),
      (#"{"text":"","word":"three"}"#, "is no word that is known here; give one, two"),
      (#"{"text":"","list":{}}"#, "list: an object is no array"),
      (#"{"text":"","list":[{"number":1},{"number":256}]}"#, "list[1].number: 256 is no whole number from 0 to 255"),
      (#"{"text":"","list":[{}]}"#, "'list[0].number' is missing. It is: A number."),
      (#"{"text":"","list":[{"number":1,"a":2}]}"#, "list[0].a: there is no such parameter; give number"),
    ]
  )
  func parameters(text: String, words: String) throws {
    let service = try ControlService()
    let client = try RawClient(service.path)

    let answer = try client.ask(#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":"# + text + "}")

    guard case .object(let error)? = jsonObject(answer ?? "")?["error"], case .text(let message)? = error["message"]
    else {
      Issue.record("no error: \(answer ?? "")")
      return
    }
    #expect(error["code"] == .number(-32602))
    #expect(message.contains(words), "\(message)")
  }

  @Test("Values come back as they went, and what may be left out is left out")
  func values() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    let all =
      #"{"text":"a\u001b\u202e\u00e9\n\"","count":18446744073709551615,"small":-2147483648,"flag":false,"ratio":0.25,"#
      + #""word":"two","list":[{"number":255}],"anything":{"b":[1e3,null,true],"a":"\ud83d\ude00"}}"#

    let answer = try client.ask(#"{"jsonrpc":"2.0","id":"x","method":"test.echo","params":"# + all + "}")
    let short = try client.ask(
      #" {"params":{"text":"","count":null},"method":"test.echo","id":null,"jsonrpc":"2.0","more":1} "#
    )

    let wanted = all.replacing("\\u00e9", with: "é").replacing("\\ud83d\\ude00", with: "😀")
    #expect(answer == #"{"jsonrpc":"2.0","id":"x","result":"# + wanted + "}")
    #expect(short == #"{"jsonrpc":"2.0","id":null,"result":{"text":""}}"#)
  }

  @Test("Nesting beyond 32 is refused and does no harm")
  func deep() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)

    for depth in [32, 33, 200, 500_000] {
      let value = String(repeating: "[", count: depth - 2) + String(repeating: "]", count: depth - 2)
      let answer = try client.ask(
        #"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"","anything":"# + value + "}}"
      )
      let isTaken = depth <= ControlProtocol.maximumDepth
      #expect(answer?.contains(isTaken ? "\"result\"" : "nested more than 32 deep") == true, "\(depth)")
    }
  }

  @Test("Bytes that are no text are no JSON, whatever they are")
  func binary() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    var random = SplitMix64(seed: 1)

    for _ in 0..<Effort.cases(200) {
      let bytes = (0..<Int(random.next() % 100 + 1)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      client.send(bytes.filter { $0 != 0x0A } + [0x00, 0xFF, 0x0A])
      #expect(try client.line()?.contains("-32700") == true)
    }
    client.send(Array(#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":""#.utf8) + [0xC3, 0x28])
    client.send(Array("\"}}\n".utf8))
    #expect(try client.line()?.contains("-32700") == true)
  }

  @Test("A batch is answered in one line and in its order; notifications in it, and alone, are not answered")
  func batches() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    let echo = #"{"jsonrpc":"2.0","id":2,"method":"test.echo","params":{"text":"b"}}"#
    let later = #"{"jsonrpc":"2.0","id":1,"method":"test.later"}"#
    let notification = #"{"jsonrpc":"2.0","method":"test.echo","params":{"text":"c"}}"#
    let wrong = #"{"jsonrpc":"2.0","method":"test.echo","params":["c"]}"#

    client.send("[\(later),\(notification),3,\(wrong),\(echo)]")
    #expect(becomesTrue { service.waiting == 1 })
    service.answerAll()
    let batch = try client.line()
    client.send("[\(notification),\(wrong)]")
    client.send(notification)
    client.send(wrong)
    client.send(#"{"jsonrpc":"2.0","method":"frob"}"#)
    client.send("\r\n \t")
    let last = try client.ask(echo)
    let full = try client.ask("[" + Array(repeating: echo, count: 64).joined(separator: ",") + "]")
    let tooLong = try client.ask("[" + Array(repeating: "1", count: 65).joined(separator: ",") + "]")

    #expect(batch?.hasPrefix(#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":null,"error""#) == true)
    #expect(batch?.hasSuffix(#"{"jsonrpc":"2.0","id":2,"result":{"text":"b"}}]"#) == true)
    #expect(last == #"{"jsonrpc":"2.0","id":2,"result":{"text":"b"}}"#)
    #expect(full?.split(separator: "\"id\":2").count == 65)
    #expect(tooLong?.contains("a batch of 65 requests; send at most 64 at once") == true)
  }

  @Test("An error's message that would repeat much of what was asked is cut")
  func longErrors() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    // A byte of it takes six when it is escaped.
    let long = String(repeating: "\u{7f}", count: 500_000)
    let accents = "o" + String(repeating: "\u{301}", count: 1 << 18)

    for (line, code) in [
      (#"{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":"","\#(long)":1}}"#, "-32602"),
      (#"{"jsonrpc":"2.0","id":1,"method":"\#(accents)"}"#, "-32601"),
      (#"{"\#(long)":1,"\#(long)":2}"#, "-32700"),
    ] {
      let answer = try client.ask(line)
      let message = try JSONParser.parse(answer ?? "")["error"]?["message"]?.string ?? ""

      #expect(answer?.contains(code) == true)
      #expect(message.utf8.count > 4090 && message.utf8.count <= 4099 && message.hasSuffix("…"))
    }
  }

  @Test("An identifier comes back as it was, unless it is too long")
  func identifiers() throws {
    let service = try ControlService()
    let client = try RawClient(service.path)
    let long = String(repeating: "1", count: 41)

    #expect(try client.ask(#"{"jsonrpc":"2.0","id":-1.5e3,"method":"hello"}"#)?.contains("\"id\":-1.5e3,") == true)
    #expect(
      try client.ask(#"{"jsonrpc":"2.0","id":"\u001b[31m","method":"hello"}"#)?.contains(#""id":"\u001b[31m","#) == true
    )
    #expect(try client.ask("{\"jsonrpc\":\"2.0\",\"id\":\(long),\"method\":\"hello\"}")?.contains("-32600") == true)
  }
}
