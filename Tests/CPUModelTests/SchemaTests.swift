import CPUModel
import PositionedJSON
import TestSupport
import Testing

@Suite("The published schema of processor models")
struct SchemaTests {
  private let schema: PositionedJSON.JSONValue

  init() throws {
    let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    schema = try JSONParser.parse(HostFiles.bytes("\(root)/Documentation/CPUModel.schema.json"))
  }

  @Test("it has every register and field that the reader knows, and no other")
  func registers() throws {
    let listed = try #require(schema["properties"]?["registers"]?["properties"]?.members)
    let implementation = ["MIDR_EL1", "REVIDR_EL1", "AIDR_EL1"]
    let known = IDRegisters.all.filter { !implementation.contains($0.name) }

    #expect(Set(listed.map(\.key)) == Set(known.map(\.name)))
    for register in known {
      let form = listed.first { $0.key == register.name }?.value["oneOf"]?[1]
      let fields = form?["properties"]?.members ?? []
      #expect(fields.map(\.key) == register.fields.map(\.name), "\(register.name)")
      for field in register.fields {
        let type = field.order == .signed ? "signed" : "field\(field.width)"
        #expect(
          form?["properties"]?[field.name]?["$ref"]?.string == "#/$defs/\(type)",
          "\(register.name).\(field.name)"
        )
      }
    }
  }

  @Test("it has every key that the reader knows")
  func keys() throws {
    let listed = try #require(schema["properties"]?.members).map(\.key)
    let error = #expect(throws: ModelFileError.self) {
      try ProcessorModel(json: Array(#"{"format": 1, "name": "x", "registers": {}, "nothing": 1}"#.utf8))
    }

    let expected = "unknown key; expected " + listed.sorted().joined(separator: ", ")
    #expect(error?.mistakes.map(\.message) == [expected])
  }

  @Test("services and limits are the reader's")
  func services() {
    let services = schema["properties"]?["services"]?["items"]?["enum"]?.array?.compactMap(\.string)
    let known = FirmwareRegisters.bitmaps.flatMap(\.services).filter(\.isExposed).map(\.name)

    #expect(services == known)
    #expect(schema["properties"]?["format"]?["const"]?.integer(Int.self) == ProcessorModel.formatVersion)
  }
}
