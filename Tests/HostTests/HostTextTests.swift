import Glibc
import Testing

@testable import Host

@Suite struct HostPathTests {
  private static let words: [[UInt8]] = [
    [], Array("plain".utf8), Array("ä/€/😀".utf8), [0xFF], [0x66, 0xFE, 0x2F, 0xC3], [0xC3, 0x28], [0xED, 0xA0, 0x80],
    [0xF0, 0x9F, 0x98], [0xF4, 0x8F, 0xB9, 0xBF], [0xF4, 0x8F, 0xBA, 0x80], [0xF4, 0x8F, 0xBB, 0xBF, 0x41], [0xF4],
    [0x80], [0xC0, 0x80],
  ]

  @Test(arguments: words)
  func everyWordOfTheHostHasATextThatStandsForIt(bytes: [UInt8]) {
    let text = HostPath.text(bytes)

    #expect(Self.bytes(of: text) == bytes)
  }

  @Test func bytesOfAllKindsComeBackAsTheyWere() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let pieces: [[UInt8]] = [
        [0xF4, 0x8F, 0xBA], [0xC3], [0x41], [0xBF], [UInt8.random(in: 1...255, using: &generator)],
      ]
      let bytes = (0..<6).flatMap { _ in pieces.randomElement(using: &generator) ?? [] }

      #expect(Self.bytes(of: HostPath.text(bytes)) == bytes, "\(bytes)")
    }
  }

  @Test func aTextWithAZeroIsNoPath() {
    #expect(Self.bytes(of: "a\0b").isEmpty)
  }

  private static func bytes(of path: String) -> [UInt8] {
    // SAFETY: the bytes end with a zero and hold for the call.
    unsafe path.withHostPath { path in
      unsafe UnsafeBufferPointer(start: path, count: strlen(path)).map { UInt8(bitPattern: $0) }
    }
  }
}

@Suite struct PlainTextTests {
  @Test(arguments: [
    ("nothing to do: 'a' \\n", "nothing to do: 'a' \\n"), ("größer — 😀", "größer — 😀"),
    ("a\u{1B}[31mb\u{7}", "a\\x1b[31mb\\x07"), ("one\ntwo\r\n\tthree", "one\\ntwo\\r\\n\\tthree"),
    ("\u{9B}31m\u{7F}", "\\u{9b}31m\\x7f"), ("abc\u{202E}cba\u{2066}", "abc\\u{202e}cba\\u{2066}"),
    ("line\u{2028}line\u{85}", "line\\u{2028}line\\u{85}"), ("\u{FEFF}\u{200B}", "\\u{feff}\\u{200b}"),
    (HostPath.text([0x61, 0xFF, 0x0A]), "a\\xff\\n"),
  ])
  func nothingIsLeftThatATerminalActsUpon(text: String, expected: String) {
    #expect(text.plain == expected)
    #expect(text.plain.plain == expected)
  }
}

@Suite struct PlainNumberTests {
  @Test func digitsAndAMinusSignAreANumberAndNothingElseIs() {
    #expect(Int(plain: "22") == 22)
    #expect(Int(plain: "-1") == -1)
    for text in ["+22", "", "+", "2 2", "0x16", "22.0"] { #expect(Int(plain: text) == nil, "\(text)") }
    #expect(UInt16(plain: "65536") == nil)
  }
}

@Suite struct ErrorNumberTests {
  @Test(arguments: [EMFILE, ENFILE, ENOMEM, EIO, EFBIG, EDQUOT])
  func whatTheHostLacksIsNoFaultOfThePath(number: Int32) {
    #expect(ErrorNumber.isHostFailure(number))
    #expect(ErrorNumber.adviceForInput(number) != ErrorNumber.adviceForInput(EINVAL))
  }

  @Test(arguments: [ENOENT, ENOTDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG, EISDIR, ENXIO])
  func whatThePathLeadsToIsNoFaultOfTheHost(number: Int32) {
    #expect(!ErrorNumber.isHostFailure(number))
  }

  @Test func aLimitOfAFilesSizeIsNoLackOfMemory() {
    #expect(ErrorNumber.advice(EFBIG, otherwise: "ask for less memory").contains("ulimit -f"))
    #expect(ErrorNumber.advice(EPIPE, otherwise: "ask for less memory") == "ask for less memory")
  }
}
