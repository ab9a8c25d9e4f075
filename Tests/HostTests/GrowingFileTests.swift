import TestSupport
import Testing

@testable import Host

@Suite struct GrowingFileTests {
  @Test func aFileIsReadAsItGrowsAndAnewWhereItWasCut() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("file", [1, 2])
    let file = try GrowingFile(path)

    #expect(try file.read() == .bytes([1, 2]))
    #expect(try file.read() == .nothing)
    var output = try OutputFile(path: path)
    try output.write([1, 2, 3])
    #expect(try file.read() == .bytes([3]))
    output = try OutputFile(path: path)
    try output.write([9])
    #expect(try file.read() == .anew)
    #expect(try file.read() == .bytes([9]))
  }

  @Test func whatIsNoRegularFileIsRefused() throws {
    #expect(throws: InputFileError.self) { try GrowingFile("/dev/zero") }
    #expect(throws: InputFileError.self) { try GrowingFile("/nowhere/at/all") }
  }
}
