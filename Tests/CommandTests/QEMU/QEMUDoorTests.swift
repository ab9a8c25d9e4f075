import Glibc
import TestSupport
import Testing

@Suite struct QEMUDoorTests {
  /// Runs the command by a link of that name.
  private func door(_ words: [String], name: String = "qemu-system-apus") throws -> ProgramResult {
    let folder = try TemporaryFolder()
    // SAFETY: the paths hold for the call.
    try #require(unsafe symlink(command, folder.path(name)) == 0)
    return try Program(path: folder.path(name), words).run()
  }

  @Test(arguments: ["-version", "--version"])
  func theVersionHasThreeNumbersInItsFirstLineAndSaysWhoseItIs(word: String) throws {
    let result = try door([word])

    #expect(result.status == 0)
    #expect(result.error == "")
    #expect(result.output.hasPrefix("QEMU emulator version 9.2.0 (its options alone: this is Apus "))
  }

  @Test func theHelpNamesTheOptionsThatAreTaken() throws {
    let result = try door(["-help"], name: "qemu-system-aarch64")

    #expect(result.status == 0)
    for option in ["-kernel", "-qmp", "virtio-blk-device"] { #expect(result.output.contains(option)) }
  }

  @Test func aMistakeEndsWithOneAndALineOnStandardErrorThatNamesTheOption() throws {
    let result = try door(["-kernel", "Image", "-nographic", "-cpu", "cortex-a57"])

    expectRefusal(result, status: 1, "qemu-system-apus: -cpu cortex-a57: ", "give host\n")
  }

  @Test func whatIsWrongWithAFileIsSaidByTheOptionsOfQEMU() throws {
    let result = try door(["-kernel", "/nonexistent/Image", "-nographic", "-m", "1G"])

    expectRefusal(result, status: 1, "qemu-system-apus: -kernel: ", "/nonexistent/Image")
  }

  @Test func underItsOwnNameTheCommandTakesNoneOfTheseOptions() throws {
    expectRefusal(try apus(["-kernel", "Image"]), status: 64)
  }
}
