import Snapshot
import TestSupport
import Testing

@Suite struct StateCodingTests {
  enum Shape: Codable, Equatable {
    case none
    case circle(radius: Double)
    case rectangle(Int, Int)
  }

  enum Colour: String, Codable { case red, green }

  struct Inner: Codable, Equatable {
    var name = "a name that is longer than fifteen bytes"
    var flags: [Bool] = [true, false]
    var position: UInt16?
  }

  struct Everything: Codable, Equatable {
    var bytes: [UInt8] = Array(0...255)
    var words: [UInt64] = [0, .max, 1 << 63]
    var halves: [UInt16] = [1, 2, 0xFFFF]
    var signed: [Int] = [-1, 0, .max, .min]
    var numbers: [Int64] = [.min, -2, -1, 0, 1, 191, 192, 127, 128, .max]
    var small: Int8 = -128
    var large: UInt64 = .max
    var real = -0.1
    var yes = true
    var text = "zwölf\u{0}\n"
    var empty: [Inner] = []
    var inner: [Inner?] = [Inner(), nil, Inner(name: "", flags: [], position: 7)]
    var table: [String: [UInt32]] = ["a": [1], "b": []]
    var shapes: [Shape] = [.none, .circle(radius: .infinity), .rectangle(-3, 4)]
    var colour = Colour.green
    var nothing: Int?
    var deep: [[[UInt8]]] = [[[1], []], []]
    var set: Set<UInt32> = [1, 5]
    var contiguous: ContiguousArray<UInt32> = [3, 4, 5, 6]
    var pair: ClosedRange<Int> = -5...5
  }

  struct Empty: Codable, Equatable {}

  struct ByHand: Codable, Equatable {
    var a: UInt32 = 1
    var b: UInt32 = 2

    init() {}

    private enum Keys: String, CodingKey { case outer, list, a }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Keys.self)
      var list = try container.nestedUnkeyedContainer(forKey: .list)
      b = try list.decode(UInt32.self)
      let nested = try container.nestedContainer(keyedBy: Keys.self, forKey: .outer)
      a = try nested.decode(UInt32.self, forKey: .a)
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Keys.self)
      var nested = container.nestedContainer(keyedBy: Keys.self, forKey: .outer)
      try nested.encode(a, forKey: .a)
      var list = container.nestedUnkeyedContainer(forKey: .list)
      try list.encode(b)
    }
  }

  struct Chain: Codable {
    var next: [Chain]
  }

  /// A value that goes back to its first container after it has begun another.
  struct Disorder: Encodable {
    private enum Keys: String, CodingKey { case a, b }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Keys.self)
      var nested = container.nestedContainer(keyedBy: Keys.self, forKey: .a)
      try container.encode(1, forKey: .b)
      try nested.encode(2, forKey: .a)
    }
  }

  @Test func whatWasEncodedIsDecodedAgain() throws {
    let value = Everything()

    let bytes = try StateCoding.encode(value)

    #expect(try StateCoding.decode(Everything.self, from: bytes) == value)
    #expect(try Everything(from: StateCoding.decoder(bytes)) == value)
  }

  @Test func aValueOfOneThingIsDecodedAgain() throws {
    #expect(try StateCoding.decode(Int.self, from: StateCoding.encode(-7)) == -7)
    #expect(try StateCoding.decode(Empty.self, from: StateCoding.encode(Empty())) == Empty())
    #expect(try StateCoding.decode(ByHand.self, from: StateCoding.encode(ByHand())) == ByHand())
    #expect(try StateCoding.decode([Int?].self, from: StateCoding.encode([nil, 1] as [Int?])) == [nil, 1])
  }

  @Test func theNamesOfAStructuresMembersAreTold() throws {
    let structure = try StateCoding.decoder(StateCoding.encode(Inner(position: nil)))
    let list = try StateCoding.decoder(StateCoding.encode([Inner()]))

    let names = try StateCoding.memberNames(of: structure)

    #expect(names == ["name", "flags"])
    #expect(throws: DecodingError.self) { try StateCoding.memberNames(of: list) }
  }

  @Test func listsOfBytesTakeTheirBytesAndLittleMore() throws {
    let bytes = try StateCoding.encode([UInt8](repeating: 1, count: 100_000))

    #expect(bytes.count < 100_020)
  }

  @Test func equalValuesHaveEqualBytes() throws {
    // Sets and tables that are equal may have their elements in another order, but for those of one.
    var (one, other) = (Everything(), Everything())
    (one.set, one.table) = ([5], ["a": [1]])
    (other.set, other.table) = ([5], ["a": [1]])

    #expect(try StateCoding.encode(one) == StateCoding.encode(other))
  }

  @Test func aNumberThatDoesNotFitIsRefused() throws {
    let bytes = try StateCoding.encode(300)

    #expect(throws: DecodingError.self) { try StateCoding.decode(UInt8.self, from: bytes) }
    #expect(throws: DecodingError.self) { try StateCoding.decode(String.self, from: bytes) }
    #expect(throws: DecodingError.self) { try StateCoding.decode(Everything.self, from: bytes) }
    #expect(throws: DecodingError.self) { try StateCoding.decode([UInt8].self, from: StateCoding.encode([1, 2])) }
  }

  @Test func aContainerThatIsGoneBackToIsRefused() {
    #expect(throws: EncodingError.self) { try StateCoding.encode(Disorder()) }
  }

  @Test func nestingThatIsTooDeepIsRefused() throws {
    var chain = Chain(next: [])
    for _ in 0..<200 { chain = Chain(next: [chain]) }

    #expect(throws: EncodingError.self) { try StateCoding.encode(chain) }
  }

  @Test func everyTruncationIsRefused() throws {
    let bytes = try StateCoding.encode(Everything())

    for count in bytes.indices {
      #expect(throws: DecodingError.self) { try StateCoding.decode(Everything.self, from: Array(bytes[..<count])) }
    }
  }

  @Test func whatStandsBehindTheValueIsRefused() throws {
    let bytes = try StateCoding.encode(Everything()) + [0]

    #expect(throws: DecodingError.self) { try StateCoding.decode(Everything.self, from: bytes) }
  }

  /// Flipped bits end in an error or in another value, and in no crash.
  @Test func flippedBitsAreReadWithoutACrash() throws {
    let bytes = try StateCoding.encode(Everything())
    var random = SplitMix64(seed: 1)

    for _ in 0..<Effort.cases(10_000) {
      var damaged = bytes
      for _ in 0...Int.random(in: 0..<3, using: &random) {
        damaged[Int.random(in: damaged.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      _ = try? StateCoding.decode(Everything.self, from: damaged)
    }
  }

  /// Lengths and counts that no bytes stand behind are refused, whatever they say.
  @Test(arguments: [6, 7, 8, 9] as [UInt8])
  func hugeCountsMakeNothing(tag: UInt8) {
    let magic: [UInt8] = [0x41, 0x50, 0x53, 1, 0]
    let huge: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]

    for kind in [0, 3, 8, 15] as [UInt8] {
      #expect(throws: DecodingError.self) { try StateCoding.decoder(magic + [tag, kind] + huge) }
      #expect(throws: DecodingError.self) { try StateCoding.decoder(magic + [tag] + huge) }
    }
    #expect(throws: DecodingError.self) { try StateCoding.decoder(Array(magic.dropLast()) + huge) }
  }
}
