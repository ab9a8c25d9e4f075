import Glibc
import Host
import TestSupport
import Testing

@testable import ApusGuest

@Suite("An initramfs that is made")
struct InitramfsArchiveTests {
  /// One file of an archive, read back as Linux's text about the format has it.
  private struct Member: Equatable {
    var path: String
    var mode: UInt32
    var contents: [UInt8]
  }

  private struct Broken: Error {
    let at: Int
  }

  private func members(of bytes: [UInt8]) throws -> [Member] {
    var members: [Member] = []
    var inodes: Set<UInt32> = []
    var at = 0
    while true {
      guard at % 4 == 0, at + 110 <= bytes.count, bytes[at..<at + 6].elementsEqual("070701".utf8) else {
        throw Broken(at: at)
      }
      let fields = try (0..<13).map { index in
        let start = at + 6 + 8 * index
        let text = String(decoding: bytes[start..<start + 8], as: UTF8.self)
        guard let number = UInt32(text, radix: 16) else { throw Broken(at: start) }
        return number
      }
      let (size, nameSize) = (Int(fields[6]), Int(fields[11]))
      let nameEnd = at + 110 + nameSize
      guard nameEnd <= bytes.count, bytes[nameEnd - 1] == 0 else { throw Broken(at: at) }
      let path = String(decoding: bytes[at + 110..<nameEnd - 1], as: UTF8.self)
      let start = (nameEnd + 3) & ~3
      guard start + size <= bytes.count else { throw Broken(at: at) }
      if path == "TRAILER!!!" {
        guard size == 0, (start + 3) & ~3 == bytes.count else { throw Broken(at: at) }
        return members
      }
      // Two files of one inode with more than one link would be one file.
      guard inodes.insert(fields[0]).inserted, fields[4] == 1 else { throw Broken(at: at) }
      members.append(Member(path: path, mode: fields[1], contents: Array(bytes[start..<start + size])))
      at = (start + size + 3) & ~3
    }
  }

  @Test("has what was added, with kinds and permissions, in the order of adding")
  func format() throws {
    var archive = InitramfsArchive()
    archive.addFolder("bin")
    archive.addFile("bin/a", mode: 0o755, [1, 2, 3, 4, 5])
    archive.addFile("empty", mode: 0o4600, [])
    archive.addLink("bin/link", to: "../bin/a")
    archive.addFile("naïve name", mode: 0o644, [0])

    let members = try members(of: Array(archive.complete.joined()))

    #expect(
      members == [
        Member(path: "bin", mode: 0o040755, contents: []),
        Member(path: "bin/a", mode: 0o100755, contents: [1, 2, 3, 4, 5]),
        Member(path: "empty", mode: 0o104600, contents: []),
        Member(path: "bin/link", mode: 0o120777, contents: Array("../bin/a".utf8)),
        Member(path: "naïve name", mode: 0o100644, contents: [0]),
      ]
    )
  }

  @Test("is a whole archive with nothing in it, too")
  func empty() throws {
    let archive = InitramfsArchive()

    let members = try members(of: Array(archive.complete.joined()))

    #expect(members.isEmpty)
    #expect(archive.isEmpty)
  }

  @Test("keeps each file on its place, whatever the lengths of names and contents", arguments: 1...9)
  func padding(length: Int) throws {
    var archive = InitramfsArchive()
    for size in 0...9 {
      archive.addFile(
        String(repeating: "n", count: length) + "\(size)",
        mode: 0o600,
        [UInt8](repeating: 7, count: size)
      )
    }

    let members = try members(of: Array(archive.complete.joined()))

    #expect(members.map(\.contents.count) == Array(0...9))
  }

  @Test("has a folder of the host's: odd names, links and modes, in the order of the names")
  func hostTree() throws {
    let folder = try TemporaryFolder()
    let names = ["-rf", "a b", "line\nbreak", "naïve", "quote'\""]
    for name in names { _ = try folder.write(name, Array(name.utf8), permissions: 0o640) }
    // SAFETY: the texts hold for the calls.
    unsafe mkdir(folder.path("sub"), 0o700)
    _ = try folder.write("sub/run", [9], permissions: 0o755)
    unsafe symlink("/nowhere/at all", folder.path("sub/link"))
    unsafe mkfifo(folder.path("sub/fifo"), 0o600)
    var archive = InitramfsArchive()

    let files = try archive.add(folder: folder.path, as: "top")
    let members = try members(of: Array(archive.complete.joined()))

    let paths = ["top"] + names.map { "top/\($0)" } + ["top/sub", "top/sub/link", "top/sub/run"]
    #expect(members.map(\.path) == paths)
    #expect(members[1].contents == Array("-rf".utf8))
    #expect(members[7] == Member(path: "top/sub/link", mode: 0o120777, contents: Array("/nowhere/at all".utf8)))
    #expect(members[8].mode == 0o100755)
    let filePaths = names + ["sub/run"]
    #expect(files.map(\.path) == filePaths)
    #expect(files.filter(\.isProgram).map(\.path) == ["sub/run"])
  }

  @Test("refuses a folder with more bytes than the limit, before it reads them")
  func huge() throws {
    let folder = try TemporaryFolder()
    // A file of a terabyte that takes no room: reading it would not end.
    _ = try folder.write("sparse", [], permissions: 0o600)
    // SAFETY: the text holds for the call.
    try #require(unsafe truncate(folder.path("sparse"), 1 << 40) == 0)
    var archive = InitramfsArchive()

    let error = #expect(throws: HostTree.Failure.self) { try archive.add(folder: folder.path, as: "top") }

    #expect(error?.kind == .badInput)
    #expect(error?.description.utf8.count ?? 0 > 40)
    #expect(archive.isEmpty)
  }

  @Test("refuses a folder that is not there, a name that is no text, and folders that are too deep")
  func refused() throws {
    let folder = try TemporaryFolder()
    var deep = folder.path("deep")
    for _ in 0..<70 {
      // SAFETY: the text holds for the call.
      unsafe mkdir(deep, 0o700)
      deep += "/d"
    }
    let odd = folder.path("odd")
    let name = Array(odd.utf8CString.dropLast()) + [47, -1, -2, 0]
    // SAFETY: the texts hold for the calls, and end with a zero.
    unsafe mkdir(odd, 0o700)
    unsafe close(creat(name, 0o600))
    // Foundation, which removes the folder, has no such names.
    defer { unsafe unlink(name) }
    var archive = InitramfsArchive()

    let missing = #expect(throws: HostTree.Failure.self) { try archive.add(folder: folder.path("none"), as: "a") }
    let unnamed = #expect(throws: HostTree.Failure.self) { try archive.add(folder: odd, as: "a") }
    let depth = #expect(throws: HostTree.Failure.self) { try archive.add(folder: folder.path("deep"), as: "a") }

    #expect(missing?.kind == .inputNotFound)
    #expect(unnamed?.kind == .badInput)
    #expect(depth?.kind == .badInput)
  }
}
