import BootImage
import BootImageTesting
import Glibc
import Testing

/// A folder of its own for each test, removed with all that is in it.
private struct TemporaryFolder: ~Copyable {
  let path: String

  init() throws {
    var template = [CChar]("/tmp/apus-boot-image-XXXXXX".utf8CString)
    // SAFETY: the template is a zero-terminated array of this call's own, here and below.
    let made = unsafe mkdtemp(&template) != nil
    try #require(made)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    // SAFETY: every path is a string that the call gets a zero-terminated copy of, in this whole file.
    for name in ["kernel", "pipe"] { unsafe unlink(path + "/" + name) }
    unsafe rmdir(path)
  }

  func makeFile(_ bytes: [UInt8], mode: mode_t = 0o600) throws -> String {
    let name = path + "/kernel"
    // SAFETY: the name holds for the call.
    let descriptor = unsafe creat(name, mode)
    try #require(descriptor >= 0)
    // SAFETY: the buffer is the array's and holds for the call.
    let written = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
    try #require(written == bytes.count)
    return name
  }
}

/// Changes as whom this thread opens files, and returns as whom it did.
private func setFileSystemUser(_ user: uid_t) throws -> Int32 {
  // The module of the C library leaves setfsuid out.
  // SAFETY: this is the function's type (setfsuid(2)).
  let function = unsafe dlsym(nil, "setfsuid").map {
    unsafe unsafeBitCast($0, to: (@convention(c) (uid_t) -> Int32).self)
  }
  let call = try #require(function)
  return call(user)
}

@Suite struct BootImageFileTests {
  @Test func openingAMissingFileNamesThePath() {
    let error = #expect(throws: BootImageError.self) { _ = try BootImageFile(path: "/nonexistent/Image") }

    #expect(error?.reason == .missing)
    #expect(error?.category == .inputNotFound)
    #expect(error?.description == "'/nonexistent/Image' does not exist; check the path")
  }

  @Test func openingAPathWithAZeroByteIsRefusedInsteadOfCutThere() throws {
    let folder = try TemporaryFolder()
    let path = try folder.makeFile([1])

    let error = #expect(throws: BootImageError.self) { _ = try BootImageFile(path: path + "\0.old") }

    #expect(error?.reason == .missing)
  }

  @Test func openingADirectoryIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.path

    let error = #expect(throws: BootImageError.self) { _ = try BootImageFile(path: path) }

    #expect(error?.reason == .notARegularFile(.directory))
    #expect(error?.description == "'\(path)' is a directory; give a regular file")
  }

  @Test func openingAPipeIsRefusedWithoutWaitingForAWriter() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/pipe"
    // SAFETY: the path holds for the call.
    try #require(unsafe mkfifo(path, 0o600) == 0)

    let error = #expect(throws: BootImageError.self) { _ = try BootImageFile(path: path) }

    #expect(error?.reason == .notARegularFile(.pipe))
  }

  @Test func openingADeviceIsRefused() {
    let error = #expect(throws: BootImageError.self) { _ = try BootImageFile(path: "/dev/null") }

    #expect(error?.reason == .notARegularFile(.device))
  }

  @Test func openingAnEmptyFileIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = try folder.makeFile([])

    let error = #expect(throws: BootImageError.self) { _ = try BootImageFile(path: path) }

    #expect(error?.reason == .empty)
    #expect(error?.category == .inputUnusable)
  }

  @Test func openingAFileWithoutPermissionNamesTheRemedy() throws {
    let folder = try TemporaryFolder()
    let path = try folder.makeFile([1], mode: 0o000)

    // Root reads everything, so this thread opens the file as somebody else.
    let user = try setFileSystemUser(65534)
    let error = #expect(throws: BootImageError.self) { _ = try BootImageFile(path: path) }
    _ = try setFileSystemUser(uid_t(user))

    #expect(error?.category == .inputNotFound)
    #expect(error?.description.contains("permission denied; make it readable") == true)
  }

  @Test func aFileThatShrinksAfterItWasOpenedIsNotReadBeyondItsEnd() throws {
    let folder = try TemporaryFolder()
    let path = try folder.makeFile(linuxImage(size: 3000))
    let file = try BootImageFile(path: path)
    let image = try file.inspect()
    let ram = try makeRAM()

    // SAFETY: the path holds for the call.
    try #require(unsafe truncate(path, 1000) == 0)

    let failure = reason { () throws(BootImageError) in _ = try file.load(image, into: ram) }
    #expect(failure == .shrank(size: 1000))
  }

  @Test func openingLeavesNoDescriptorBehind() throws {
    let folder = try TemporaryFolder()
    let path = try folder.makeFile([1, 2, 3])
    let directory = folder.path

    for _ in 0..<10 {
      _ = try BootImageFile(path: path).size
      _ = try? BootImageFile(path: directory).size
    }

    #expect(descriptors(under: directory) == 0)
  }

  /// How many descriptors of this process lead to `folder` or into it.
  private func descriptors(under folder: String) -> Int {
    (0..<1024).count { descriptor in
      var target = [UInt8](repeating: 0, count: 256)
      // SAFETY: the buffer is the array's and its size is passed along.
      let length = unsafe target.withUnsafeMutableBytes { buffer in
        unsafe buffer.withMemoryRebound(to: CChar.self) { buffer in
          guard let base = buffer.baseAddress else { return 0 }
          return unsafe readlink("/proc/self/fd/\(descriptor)", base, buffer.count)
        }
      }
      return length > 0 && String(decoding: target[..<length], as: UTF8.self).hasPrefix(folder)
    }
  }
}
