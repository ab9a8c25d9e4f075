import Glibc
import Host
import TestSupport
import Testing

@Suite struct OutputFileTests {
  @Test func aFileThatOneMachineWritesIsRefusedToEveryOther() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("log")
    let first = RunFiles()
    let descriptor = try first.open(path)
    #expect(writeAll([1, 2, 3], to: descriptor.rawValue) == nil)

    #expect(openingFailure(path) == OutputFileError(inUse: path))
    #expect(throws: OutputFileError(inUse: path)) { _ = try RunFiles().open(path) }
    #expect(throws: OutputFileError(inUse: path)) { try OutputFile.check(path: path) }

    #expect(OutputFileError(inUse: path).description.contains("another Apus writes it"))
    #expect(folder.read("log") == [1, 2, 3])
  }

  @Test func pipesAndDevicesHaveAnyNumberOfWriters() throws {
    let folder = try TemporaryFolder()
    let pipe = folder.path("pipe")
    // SAFETY: the path holds for the calls.
    try #require(unsafe mkfifo(pipe, 0o600) == 0)
    let reader = unsafe open(pipe, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    let files = RunFiles()

    for path in ["/dev/null", "/dev/null", pipe, pipe] { _ = try files.open(path) }
  }

  @Test func whatAnotherHasPutInTheFilesPlaceStays() throws {
    let folder = try TemporaryFolder()
    do {
      let files = RunFiles()
      _ = try files.open(folder.path("log"))
      let report = try OutputFile(path: folder.path("report"))
      // SAFETY: the paths hold for the calls.
      for name in ["log", "report"] { _ = unsafe unlink(folder.path(name)) }
      try folder.write("log", [1])
      try folder.write("report", [2])
      _ = report.path
    }

    #expect(folder.read("log") == [1])
    #expect(folder.read("report") == [2])
  }

  @Test func aNewFileHasWhatWasWritten() throws {
    let folder = try TemporaryFolder()

    try OutputFile(path: folder.path("new")).write([1, 2, 3])

    #expect(folder.read("new") == [1, 2, 3])
  }

  @Test func aNewFileThatIsNeverWrittenIsRemoved() throws {
    let folder = try TemporaryFolder()

    do {
      let file = try OutputFile(path: folder.path("new"))
      #expect(try folder.names == ["new"])
      _ = file.path
    }

    #expect(try folder.names.isEmpty)
  }

  @Test func checkingALinkThatLeadsNowhereLeavesNoFileWhereItLeads() throws {
    let folder = try TemporaryFolder()
    let link = folder.path("link")
    // SAFETY: the path holds for the call.
    try #require(unsafe symlink("target", link) == 0)

    try OutputFile.check(path: link)
    #expect(try folder.names == ["link"])
    try OutputFile(path: link).write([1])

    #expect(folder.read("target") == [1])
  }

  @Test func anExistingFileKeepsItsContentUntilItIsWritten() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("old", [9, 9, 9, 9, 9])

    let file = try OutputFile(path: path)
    #expect(folder.read("old") == [9, 9, 9, 9, 9])
    try file.write([1])

    #expect(folder.read("old") == [1])
  }

  @Test func anExistingFileThatIsNeverWrittenStays() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("old", [9])

    do {
      let file = try OutputFile(path: path)
      _ = file.path
    }

    #expect(folder.read("old") == [9])
  }

  @Test func aMissingFolderIsAnErrorThatNamesTheFileAndSaysWhatToDo() {
    let error = openingFailure("/nonexistent/report.json")

    #expect(error?.errno == ENOENT)
    #expect(
      error?.description == "cannot write '/nonexistent/report.json': No such file or directory; "
        + "name a file in a folder that exists and that you may write to"
    )
  }

  @Test func aFolderIsNoFileToWrite() throws {
    let folder = try TemporaryFolder()

    #expect(openingFailure(folder.path)?.errno == EISDIR)
  }

  @Test func aDeviceWithoutRoomIsAnErrorOfTheWrite() throws {
    let file = try OutputFile(path: "/dev/full")

    let error = writingFailure(file)

    #expect(error?.errno == ENOSPC)
  }

  @Test func aPipeIsWrittenTo() throws {
    let folder = try TemporaryFolder()
    // SAFETY: the path holds for the calls.
    #expect(unsafe mkfifo(folder.path("pipe"), 0o600) == 0)
    let reader = unsafe open(folder.path("pipe"), O_RDONLY | O_NONBLOCK)
    defer { close(reader) }

    try OutputFile.check(path: folder.path("pipe"))
    try OutputFile(path: folder.path("pipe")).write([5, 6])

    var buffer: [UInt8] = [0, 0, 0]
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(reader, $0.baseAddress, $0.count) }
    #expect(count == 2)
    #expect(buffer == [5, 6, 0])
  }

  @Test func aPipeThatNobodyReadsIsAnErrorAndNoPlaceToWait() throws {
    let folder = try TemporaryFolder()
    // SAFETY: the path holds for the call.
    #expect(unsafe mkfifo(folder.path("pipe"), 0o600) == 0)

    let error = #expect(throws: OutputFileError.self) { _ = try OutputFile(path: folder.path("pipe")) }

    #expect(error?.errno == ENXIO)
    #expect(error?.advice == "start the pipe's reader first")
  }
}

private func openingFailure(_ path: String) -> OutputFileError? {
  do throws(OutputFileError) {
    try OutputFile.check(path: path)
    return nil
  } catch {
    do throws(OutputFileError) {
      _ = try OutputFile(path: path)
      return nil
    } catch {
      return error
    }
  }
}

private func writingFailure(_ file: consuming OutputFile) -> OutputFileError? {
  do throws(OutputFileError) {
    try file.write([1])
    return nil
  } catch {
    return error
  }
}
