import Glibc
import Host
import TestSupport
import Testing

@Suite struct HugePagesTests {
  private func problem(of setting: String) throws -> String? {
    let folder = try TemporaryFolder()
    let path = folder.path("enabled")
    let bytes = Array(setting.utf8)
    // SAFETY: the texts hold for the calls.
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    try #require(unsafe write(file, bytes, bytes.count) == bytes.count)
    close(file)
    return HugePages.problem(path: path)
  }

  @Test func hostsThatGiveNoneAreTold() throws {
    let never = try problem(of: "always madvise [never]\n")
    let missing = HugePages.problem(path: "/nowhere")

    #expect(never?.contains("echo madvise") == true)
    #expect(missing?.contains("no transparent huge pages") == true)
  }

  @Test(arguments: ["always [madvise] never\n", "[always] madvise never\n"])
  func hostsThatGiveThemHaveNoProblem(setting: String) throws {
    #expect(try problem(of: setting) == nil)
  }
}
