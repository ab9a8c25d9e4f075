import Apus
import Testing

@testable import ApusCommand

@Suite struct DebuggerOptionTests {
  @Test(
    arguments: [
      ("unix=/run/gdb", .socket(path: "/run/gdb"), false), ("unix=a=c,wait", .socket(path: "a=c"), true),
      ("tcp=1234", .port(1234), false), ("tcp=0,wait", .port(0), true), ("unix=wait", .socket(path: "wait"), false),
    ] as [(String, Configuration.Debugger.Address, Bool)]
  )
  func aPlaceIsReadAndWritten(text: String, address: Configuration.Debugger.Address, waits: Bool) throws {
    let debugger = try #require(Configuration.Debugger(text))

    #expect(debugger.address == address && debugger.waits == waits)
    #expect(debugger.description == text)
  }

  @Test(arguments: [
    "", "unix", "unix=", "unix=,wait", "tcp=", "tcp=65536", "tcp=-1", "tcp=x", "tcp=1234,", "tcp=1234,waits", "tcp= 1",
    "localhost:1234", "fd=3", "unix=/x,now", "unix=/x,", "unix=/x,wait,", "unix=/x,wait,wait", "unix=a,b,wait",
  ])
  func whatIsNoPlaceIsRefused(text: String) {
    #expect(Configuration.Debugger(text) == nil)
  }

  @Test(arguments: ["unix=/x,now", "tcp=80,80"])
  func anotherWordThanWaitIsToldSo(place: String) throws {
    expectRefusal(try apus(["run", "--kernel", "k", "--gdb", place]), status: 64, "only ',wait' may follow")
  }
}
