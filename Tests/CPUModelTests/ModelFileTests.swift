import CPUModel
import KVM
import TestSupport
import Testing

@Suite("Files of processor models")
struct ModelFileTests {
  static let models =
    ProcessorModel.shipped
    + ProcessorModelTests.hosts.map { ProcessorModel(host: RecordedHost($0).processor(for: nil), name: $0) }

  @Test("what is written is read back", arguments: models)
  func roundTrip(model: ProcessorModel) throws {
    let read = try ProcessorModel(json: Array(model.json.utf8))

    #expect(read == model)
  }

  static let mistakes: [(text: String, mistakes: [String])] = [
    ("{", ["1:2: /: expected a key in double quotation marks, found the end of the text"]),
    (
      "[]", ["1:1: /: expected an object, found an array"]
    ),
    (
      "{}",
      [
        "1:1: /format: missing; expected the number 1", "1:1: /name: missing; expected a model's name",
        "1:1: /registers: missing; expected an object with ID registers",
      ]
    ),
    (
      #"{"format": 2, "name": "a b", "registers": {}, "psci": "1.2", "fixed": 1}"#,
      [
        "1:12: /format: expected 1, the form that this program knows",
        "1:23: /name: expected 1 to 64 letters, digits, dots, hyphens and underscores",
        "1:55: /psci: expected \"1.0\" or \"1.1\"", "1:71: /fixed: expected show or refuse",
      ]
    ),
    (
      #"{"format": 1, "name": "x", "registers": {"ID_AA64ISAR0_EL1": {"AES": 16, "Oops": 1}, "MIDR_EL1": "host"}}"#,
      [
        "1:70: /registers/ID_AA64ISAR0_EL1/AES: expected a number from 0 to 15, \"host\", or an object with value or max",
        "1:82: /registers/ID_AA64ISAR0_EL1/Oops: is no field of ID_AA64ISAR0_EL1; expected AES, SHA1, SHA2, CRC32, "
          + "Atomic, TME, RDM, SHA3, SM3, SM4, DP, FHM, TS, TLB, RNDR",
        "1:98: /registers/MIDR_EL1: is no ID register that a model can have",
      ]
    ),
    (
      #"{"format": 1, "name": "x", "registers": {"S3_0_C0_C7_5": {"bits 3:0": 1, "bits 5:3": 1}}}"#,
      ["1:86: /registers/S3_0_C0_C7_5/bits 5:3: shares bits with a field above"]
    ),
    (
      #"{"format": 1, "name": "x", "registers": {}, "sve": {"lengths": [32, 24]}, "services": ["PTP", "PTP"]}"#,
      [
        "1:64: /sve/lengths: the first length is 16: every processor has it",
        "1:69: /sve/lengths/1: expected a multiple of 16 up to 256, in ascending order",
        "1:95: /services/1: expected one of TRNG_V1_0, PV_TIME, FUNC_FEAT, PTP, each once",
      ]
    ),
    (
      #"{"format": 1, "name": "host", "registers": {}, "pmu": {"counters": 32}, "x": 1}"#,
      [
        "1:23: /name: is what the host's own model is called; give another name",
        "1:68: /pmu/counters: expected a number from 0 to 31",
        "1:73: /x: unknown key; expected description, fixed, format, name, pmu, pointerAuthentication, psci, registers, "
          + "services, sve",
      ]
    ),
  ]

  @Test("every mistake is told with its place and what is right", arguments: mistakes)
  func mistake(text: String, mistakes: [String]) {
    let error = #expect(throws: ModelFileError.self) { try ProcessorModel(json: Array(text.utf8)) }

    #expect(error?.mistakes.map(\.description) == mistakes)
  }

  @Test("a file of more bytes than a model has is not read")
  func size() {
    let text = [UInt8](repeating: UInt8(ascii: " "), count: ProcessorModel.fileSizeLimit + 1)

    let error = #expect(throws: ModelFileError.self) { try ProcessorModel(json: text) }

    #expect(error?.mistakes.first?.message == "a model's file has at most 262144 bytes, this one 262145")
  }

  @Test("a file that is damaged anywhere is refused or read, and what is read can be written")
  func damaged() throws {
    var random = SplitMix64(seed: 6)
    let texts = Self.models.map { Array($0.json.utf8) }
    for _ in 0..<Effort.cases(1500) {
      var text = texts[Int(random.next() % UInt64(texts.count))]
      for _ in 0...random.next() % 3 {
        text[Int(random.next() % UInt64(text.count))] = UInt8(truncatingIfNeeded: random.next() >> 8)
      }
      guard let model = try? ProcessorModel(json: text) else { continue }
      #expect(try ProcessorModel(json: Array(model.json.utf8)) == model)
    }
  }
}
