import Apus
import TestSupport
import Testing

@testable import ApusCommand

@Suite struct ConsoleOptionTests {
  @Test(
    arguments: [
      ("log=file=out.txt", .init("log", .file(path: "out.txt"))),
      ("a.b-c_1=unix=/run/a=b", .init("a.b-c_1", .socket(path: "/run/a=b"))),
      ("x=fd=3", .init("x", .descriptor(3))),
    ] as [(String, Configuration.Port)]
  )
  func aPortIsReadAndWritten(text: String, port: Configuration.Port) {
    #expect(Configuration.Port(text) == port)
    #expect(port.description == text)
  }

  @Test(arguments: ["", "log", "log=", "log=file", "log=file=", "=file=x", "log=tcp=1", "log=fd=x", "log:file:x"])
  func whatIsNoPortIsRefused(text: String) {
    #expect(Configuration.Port(text) == nil)
  }

  @Test(
    arguments: [
      ("stdio", false, nil, .standardStreams), ("file=a,b", false, nil, .file(path: "a,b")),
      ("virtio", true, nil, .standardStreams), ("virtio,none", true, nil, .none),
      ("virtio,file=a,b", true, nil, .file(path: "a,b")), ("virtio,pty=l", true, nil, .pseudoTerminal(link: "l")),
      ("virtio,window=w", true, "w", .standardStreams), ("virtio,window=w,pty", true, "w", .pseudoTerminal()),
    ] as [(String, Bool, String?, Configuration.Console)]
  )
  func aChoiceOfConsoleIsReadAndComesBack(
    text: String,
    isVirtio: Bool,
    window: String?,
    destination: Configuration.Console
  ) throws {
    let choice = try #require(ConsoleChoice(text))

    #expect(choice.isVirtio == isVirtio)
    #expect(choice.window == window)
    #expect(choice.destination == destination)
    #expect(ConsoleChoice(choice.description) == choice)
  }

  @Test(
    arguments: [
      "", "virtio,", "virtio,tty", "virtiofile=x", "virtio,window=", "virtio,window=w,", "virtio,window=,pty", "tty",
      "virtio,virtio", "stdio,virtio",
    ]
  )
  func whatIsNoChoiceOfConsoleIsRefused(text: String) {
    #expect(ConsoleChoice(text) == nil)
  }

  @Test func anyTextIsReadOrRefusedAndWhatIsReadComesBack() {
    var random = SplitMix64(seed: 7)
    let parts = ["virtio", "window=", "file=", "unix=", "fd=", "pty", "=", ",", "a", "9", "é", ".", "stdio"]
    var read = 0
    for _ in 0..<Effort.cases(20_000) {
      let text = (0..<Int.random(in: 0...5, using: &random)).map { _ in parts.randomElement(using: &random) ?? "" }
        .joined()
      if let port = Configuration.Port(text) {
        read += 1
        #expect(Configuration.Port(port.description) == port)
      }
      if let choice = ConsoleChoice(text) {
        read += 1
        #expect(ConsoleChoice(choice.description) == choice)
      }
    }
    #expect(read > 20)
  }
}
