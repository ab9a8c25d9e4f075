import ApusControl
import Host
import PositionedJSON
import TestSupport
import Testing

/// What people write and read, and the published schema.
@Suite("Control texts") struct ControlTextTests {
  private static let all = ControlCatalogue.methods.map(\.name)

  private func words(_ method: String, _ words: [String]) -> String {
    guard let description = ControlCatalogue.methods.first(where: { $0.name == method }) else { return "no method" }
    do {
      return try ControlWords.parameters(of: description, words).text
    } catch {
      return error.message
    }
  }

  @Test("Base64 is that of RFC 4648, and what is none is refused")
  func base64() {
    for (text, encoded) in [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ] {
      #expect(Base64.encode(Array(text.utf8)) == encoded)
      #expect(Base64.decode(encoded) == Array(text.utf8))
    }
    for wrong in [
      "Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm9_", "é===",
    ] {
      #expect(Base64.decode(wrong) == nil, "\(wrong)")
    }
    var random = SplitMix64(seed: 7)
    for count in 0..<Effort.cases(300) {
      let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
  }

  @Test("What is written has nothing that a terminal acts upon, and is read back as it was")
  func escapes() throws {
    var text = ""
    for value in 0...0x10FFFF as ClosedRange<UInt32> {
      // All of the first planes, and some of the others.
      guard value < 0x3000 || value % 257 == 0 || value > 0xE0000 && value < 0xE0100 else { continue }
      if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) }
    }
    var writer = ControlWriter()
    writer.string(text)
    let written = String(decoding: writer.bytes, as: UTF8.self)

    #expect(written.plain == written)
    #expect(try JSONParser.parse(written).string == text)
  }

  @Test("Numbers are written as JSON has them")
  func numbers() {
    var writer = ControlWriter()
    writer.beginArray()
    writer.integer(Int64.min)
    writer.integer(UInt64.max)
    writer.number(1e300)
    writer.number(-0.5)
    writer.number(.infinity)
    writer.number(.nan)
    writer.beginObject()
    writer.key("a\"")
    writer.boolean(true)
    writer.endObject()
    writer.endArray()

    #expect(
      String(decoding: writer.bytes, as: UTF8.self)
        == #"[-9223372036854775808,18446744073709551615,1e+300,-0.5,null,null,{"a\"":true}]"#
    )
  }

  @Test("Words become parameters, by name or in the order of those that have to be there")
  func wordsOfParameters() {
    #expect(words("console.send", ["data=a=b"]) == #"{"data":"a=b"}"#)
    #expect(words("console.send", ["ls", "encoding=text"]) == #"{"data":"ls","encoding":"text"}"#)
    #expect(words("console.send", ["x=y"]) == #"{"data":"x=y"}"#)
    #expect(words("console.subscribe", ["replay=yes"]) == #"{"replay":true}"#)
    #expect(words("events.subscribe", ["kinds=state,panic"]) == #"{"kinds":["state","panic"]}"#)
    #expect(words("unsubscribe", ["0x1F"]) == #"{"subscription":31}"#)
    #expect(words("unsubscribe", ["2G"]) == #"{"subscription":2147483648}"#)
    #expect(words("unsubscribe", ["-1"]) == #"{"subscription":-1}"#)
    #expect(words("info", []) == "{}")
  }

  @Test(
    "Words that are no parameters are refused by what is wrong",
    arguments: [
      ("info", ["a"], "'a' is no parameter of info: it takes none"),
      ("console.send", ["a", "b"], "'b' is no parameter of console.send: it takes data, encoding, each as NAME=VALUE"),
      ("console.send", ["data=a", "data=b"], "data is there twice; give it once"),
      ("console.send", ["a", "encoding=utf8"], "encoding: 'utf8' is not known; give text, base64"),
      ("console.subscribe", ["replay=maybe"], "replay: 'maybe' is neither true nor false"),
      ("unsubscribe", ["x"], "subscription: 'x' is no whole number; give one such as 4096, 0x1000 or 2G"),
      ("unsubscribe", ["+5"], "subscription: '+5' is no whole number; give one such as 4096, 0x1000 or 2G"),
      ("unsubscribe", ["0x+5"], "subscription: '0x+5' is no whole number; give one such as 4096, 0x1000 or 2G"),
      ("unsubscribe", [""], "subscription: '' is no whole number"),
      ("unsubscribe", ["-"], "subscription: '-' is no whole"),
      ("unsubscribe", ["1.5G"], "subscription: '1.5G' is no whole number; give one such as 4096, 0x1000 or 2G"),
      ("unsubscribe", ["G"], "subscription: 'G' is no whole number"),
      ("unsubscribe", ["0x"], "subscription: '0x' is no"),
      ("unsubscribe", ["1 G"], "subscription: '1 G' is no whole number"),
      ("unsubscribe", ["1\u{301}"], "subscription: '1\u{301}' is no whole number"),
      ("unsubscribe", ["99999999T"], "subscription: '99999999T' is too large; the most is 18446744073709551615"),
      ("unsubscribe", ["18446744073709551616"], "subscription: '18446744073709551616' is too large"),
      ("unsubscribe", ["0x10000000000000000"], "subscription: '0x10000000000000000' is too large"),
      (
        "unsubscribe", ["8191P"],
        "subscription: '8191P' is a number with an unknown unit; give K, M, G or T, which are powers of 1024"
      ),
      ("unsubscribe", ["2GiB"], "subscription: '2GiB' is a number with an unknown unit"),
      ("events.subscribe", ["kinds=state,all"], "kinds: 'all' is not known; give state"),
    ]
  )
  func wrongWords(method: String, given: [String], message: String) {
    #expect(words(method, given).hasPrefix(message), "\(words(method, given))")
  }

  @Test("Answers are a line to each value, by the keys or names that lead there")
  func lines() {
    let answer = ControlJSON(
      text: #"{"state":"running","memory":1,"ok":true,"none":null,"empty":[],"exits":[1,2],"#
        + #""devices":[{"name":"disk","reads":3},{"writes":4}],"text":"a\nb"}"#
    )

    #expect(
      ControlWords.lines(answer) == [
        "state: running", "memory: 1", "ok: yes", "exits: 1 2", "devices disk reads: 3", "devices 1 writes: 4",
        "text: a\nb",
      ]
    )
    #expect(
      ControlWords.indented(ControlJSON(text: #"{"a":[1,{}],"b":{"c":"\u001b"}}"#)).split(separator: "\n").count == 9
    )
  }

  @Test("The schema is an OpenRPC document that has each method and each notice of the catalogue, all of it readable")
  func document() throws {
    let json = try JSONParser.parse(ControlCatalogue.document.text)

    #expect(json["openrpc"]?.string?.hasPrefix("1.") == true)
    #expect(json["info"]?["version"]?.string == "\(ControlProtocol.version)")
    #expect(json["methods"]?.array?.compactMap { $0["name"]?.string } == Self.all)
    #expect(Set(Self.all).count == Self.all.count)
    #expect(json["x-notices"]?.array?.compactMap { $0["name"]?.string } == ControlCatalogue.notices.map(\.name))
    for method in json["methods"]?.array ?? [] {
      let name = method["name"]?.string ?? ""
      #expect(method["summary"]?.string?.hasSuffix(".") == true, "\(name)")
      #expect(method["paramStructure"]?.string == "by-name")
      for parameter in method["params"]?.array ?? [] {
        #expect(parameter["description"]?.string?.hasSuffix(".") == true, "\(name)")
        #expect(parameter["required"]?.boolean != nil, "\(name)")
        check(parameter["schema"], name)
      }
      #expect(method["result"]?["name"]?.string == "result")
      check(method["result"]?["schema"], name)
    }
    for notice in json["x-notices"]?.array ?? [] {
      let properties = notice["params"]?["properties"]?.members?.map(\.key) ?? []
      #expect(Array(properties.prefix(2)) == ["subscription", "lost"])
      check(notice["params"], notice["name"]?.string ?? "")
    }
    let codes = json["components"]?["errors"]?.members ?? []
    #expect(codes.count >= 9 && codes.allSatisfy { $0.value["code"]?.integer(Int.self).map { "\($0)" } == $0.key })
  }

  /// A schema of JSON Schema 2020-12, in as much as it is used here.
  private func check(_ schema: PositionedJSON.JSONValue?, _ name: String) {
    guard let schema, let members = schema.members else {
      Issue.record("\(name): a schema is missing")
      return
    }
    let known = ["description", "type", "minimum", "maximum", "enum", "items", "properties", "required"]
    #expect(members.allSatisfy { known.contains($0.key) }, "\(name)")
    switch schema["type"]?.string {
    case "object":
      let keys = schema["properties"]?.members?.map(\.key) ?? []
      #expect(schema["required"]?.array?.compactMap(\.string).allSatisfy(keys.contains) == true, "\(name)")
      for property in schema["properties"]?.members ?? [] {
        #expect(property.value["description"]?.string?.hasSuffix(".") == true, "\(name).\(property.key)")
        check(property.value, "\(name).\(property.key)")
      }
    case "array": check(schema["items"], "\(name)[]")
    case "integer": #expect(schema["minimum"] != nil && schema["maximum"] != nil, "\(name)")
    case "string", "boolean", "number", nil: break
    case let other?: Issue.record("\(name): there is no type '\(other)'")
    }
  }
}
