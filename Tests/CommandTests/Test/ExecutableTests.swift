import Glibc
import Testing

@testable import ApusGuest

@Suite struct ExecutableTests {
  /// An ELF file's headers: the machine by its number, and perhaps a loader's name.
  private func program(machine: UInt8 = 183, loader: String? = nil) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 64)
    bytes.replaceSubrange(0..<6, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1])
    bytes[18] = machine
    bytes[32] = 64
    bytes[54] = 56
    bytes[56] = 1
    var header = [UInt8](repeating: 0, count: 56)
    header[0] = loader == nil ? 1 : 3
    header[8] = 120
    header[32] = UInt8((loader?.utf8.count ?? -1) + 1)
    return bytes + header + Array((loader ?? "").utf8) + [0]
  }

  @Test func aProgramForArm64WithoutALoaderIsStatic() {
    #expect(Executable.isStatic(program()))
    #expect(!Executable.isStatic(program(loader: "/lib/ld-linux-aarch64.so.1")))
    #expect(!Executable.isStatic(program(machine: 62)))
    #expect(!Executable.isStatic(Array("#!/bin/sh\n".utf8)))
    #expect(!Executable.isStatic([]))
  }

  @Test func headersThatAreNotWholeOrLieFarAwayMakeNoProgram() {
    let whole = program()
    for count in 0..<120 {
      let isStatic = Executable.isStatic(Array(whole[..<count]))
      #expect(!isStatic, "\(count) bytes")
    }
    for place in 32..<40 {
      var damaged = whole
      damaged[place] = 0xFF
      #expect(!Executable.isStatic(damaged), "byte \(place)")
      #expect(Executable.interpreter(damaged) == nil)
    }
  }

  @Test(
    arguments: [
      ("#!/bin/sh\n", "/bin/sh"), ("#! \t/usr/bin/env python3 -u\n", "/usr/bin/env"), ("#!/bin/sh", "/bin/sh"),
      ("#!/bin/sh\r\necho\r\n", "/bin/sh\r"), ("#!", ""), ("echo\n", nil), ("", nil),
    ]
  )
  func aScriptNamesItsInterpreter(text: String, interpreter: String?) {
    #expect(Executable.interpreter(Array(text.utf8)) == interpreter)
  }

  @Test func aProgramNamesItsLoader() {
    #expect(Executable.interpreter(program(loader: "/lib/ld.so")) == "/lib/ld.so")
    #expect(Executable.interpreter(program()) == nil)
  }

  @Test(
    arguments: [
      (ENOENT, "#!/usr/bin/python3\n", "'/usr/bin/python3', which the guest does not have"),
      (ENOENT, "#!/bin/sh\r\n", "carriage return"), (ENOENT, "text", "No such file"),
      (ENOEXEC, "exit 0\n", "begins with #!"), (ENOEXEC, "", "it is empty"),
      (ENOEXEC, "\u{7F}ELF", "no program for arm64"),
      (EACCES, "#!/bin/sh\n", "Permission denied"),
    ]
  )
  func whyAGuestDoesNotRunAFileIsToldByWhatTheFileIs(errno: Int32, text: String, words: String) {
    let reason = Executable.refusal(errno, Array(text.utf8))

    #expect(reason.contains(words), "\(reason)")
  }

  @Test func ofAFileThatHasGoneTheNumberIsTold() {
    #expect(Executable.refusal(ENOENT, nil).contains("No such file"))
  }
}
