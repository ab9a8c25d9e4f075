import QEMUSyntax
import Testing

@Suite struct QEMUFieldsTests {
  @Test func doubledCommasAreCommasOfTheValueAndOthersDivide() throws {
    let fields = try QEMUFields("a,,b=c,id=x=y,readonly,path=/tmp/a,,b,,,c=", of: "-drive", implied: "file")

    #expect(
      fields.fields == [
        .init(name: "a,b", value: "c"), .init(name: "id", value: "x=y"), .init(name: "readonly", value: "on"),
        .init(name: "path", value: "/tmp/a,b,"), .init(name: "c", value: ""),
      ]
    )
  }

  @Test func aFirstWordWithoutANameIsTheImpliedOnesValue() throws {
    var fields = try QEMUFields("virt,gic-version=3", of: "-M", implied: "type")

    #expect(try fields.take("type") == "virt")
    #expect(try fields.take("gic-version") == "3")
    #expect(fields.fields.isEmpty)
  }

  @Test func whatIsThereTwiceWithTwoValuesIsRefusedAndWithOneTaken() throws {
    var same = try QEMUFields("a=1,a=1", of: "-x")
    var other = try QEMUFields("a=1,a=2", of: "-x")

    #expect(try same.take("a") == "1")
    #expect(throws: QEMUSyntaxError("-x", "'a' is there twice; give it once")) { try other.take("a") }
  }

  @Test func whatNobodyHasTakenIsRefusedByItsName() throws {
    let fields = try QEMUFields("bus=pcie.0", of: "-device x")

    #expect(throws: QEMUSyntaxError("-device x", "'bus' is not there with Apus; there are id")) {
      try fields.finish(known: "id")
    }
  }

  @Test(arguments: ["=a", "a,=b"])
  func aValueWithoutANameIsRefused(text: String) {
    #expect(throws: QEMUSyntaxError.self) { try QEMUFields(text, of: "-x") }
  }

  @Test func aTextThatIsTooLongIsRefused() {
    let text = String(repeating: "a", count: QEMUFields.maximumSize + 1)

    #expect(throws: QEMUSyntaxError.self) { try QEMUFields(text, of: "-x") }
  }

  @Test func optionsHaveOneDashOrTwoAndTakeTheirWordWhateverItLooksLike() throws {
    let options = try QEMUWords.options(["-S", "--append", "-quiet", "-m", "1G"]) { $0 != "S" }

    #expect(options == [.init("S"), .init("append", "-quiet"), .init("m", "1G")])
  }

  @Test(arguments: [["disk.img"], ["-nothing"], ["-m"], ["-"]])
  func wordsThatAreNoOptionAreRefused(words: [String]) {
    #expect(throws: QEMUSyntaxError.self) { try QEMUWords.options(words) { $0 == "m" ? true : nil } }
  }
}
