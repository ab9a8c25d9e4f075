import Glibc
import Host
import HostBackends
import TestSupport
import Testing

@testable import Apus

/// What is told of folders that cannot be shown to a guest.
@Suite struct ShareCheckTests {
  private func problem(_ path: String) throws -> String? { try asNobody { FolderShare.problem(path)?.text } }

  @Test func aFolderThatIsNotThereIsRefused() throws {
    #expect(try problem("/nonexistent/folder")?.hasSuffix("No such file or directory; check the path") == true)
    #expect(FolderShare.problem("/nonexistent/folder")?.kind == .inputNotFound)
  }

  @Test func aFileIsNoFolder() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("file", [1])

    #expect(FolderShare.problem(file)?.text.hasSuffix("Not a directory; name a folder") == true)
  }

  @Test func aFolderThatThisUserMayNotReadIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = try folder.makeFolder("closed")
    try setPermissions(0o711, of: path)

    #expect(try problem(path)?.contains("cannot be shown to the guest: Permission denied; ") == true)
    try setPermissions(0o755, of: path)
    #expect(try problem(path) == nil)
  }

  @Test func aFolderWhoseNameIsNotUTF8IsRefusedAndALinkToItIsNot() throws {
    let folder = try TemporaryFolder()
    let path = try folder.makeFolder("link")

    let raw: String = HostPath.text(Array(folder.path.utf8) + [0x2F, 0xFF])
    // SAFETY: the paths hold for the call.
    try #require(unsafe raw.withHostPath { unsafe symlink(path, $0) } == 0)

    #expect(FolderShare.problem(raw)?.text.hasSuffix("give a link to it with such a name") == true)
    #expect(FolderShare.problem(path) == nil)
  }

  @Test func aFolderThatNobodyMayWriteIsShown() throws {
    let folder = try TemporaryFolder()
    let path = try folder.makeFolder("fixed")
    try setPermissions(0o555, of: path)

    #expect(try problem(path) == nil)
    try setPermissions(0o755, of: path)
  }

  /// Without a `PATH` that has it, and where it is not installed elsewhere.
  @Test(.enabled(if: VirtiofsdProgram.find() == nil)) func aProgramThatIsMissingIsToldOnce() {
    var configuration = Configuration(kernel: "Image")
    configuration.devices = [
      .init(.share(.init(path: "/nonexistent", tag: "a"))), .init(.share(.init(path: "/", tag: "b"))),
      .init(.share(.init(path: "/", tag: "c"))),
    ]

    let error = #expect(throws: ConfigurationError.self) { _ = try configuration.check() }

    let reasons = error?.problems.filter { "\($0.path)".hasSuffix("share.path") }.map(\.kind)
    #expect(reasons == [.inputNotFound, .hostFailure])
  }

  @Test func theSurveyOfTheHostSaysWhetherVirtiofsdServesAndWhatToDo() {
    var survey = HostSurvey(kvmPath: "/nonexistent/kvm", triesPrograms: false)
    survey.add(virtiofsd: .missing)
    survey.add(virtiofsd: .serves(version: "virtiofsd 1.13.2"))
    survey.add(virtiofsd: .cannotServe(version: "virtiofsd 1.5.0", reason: "it ended with status 2"))

    let findings = survey.findings.suffix(3)
    #expect(findings.map(\.status) == [.absent, .ok, .absent])
    #expect(findings.map(\.detail) == ["no", "virtiofsd 1.13.2", "virtiofsd 1.5.0: it ended with status 2"])
    let advice = findings.map(\.advice)
    #expect(advice[0]?.contains("apt-get install virtiofsd") == true)
    #expect(advice[1] == nil && advice[2] == "no folder can be shown to guests")
  }

  private func setPermissions(_ permissions: mode_t, of path: String) throws {
    // SAFETY: the path holds for the call.
    try #require(unsafe chmod(path, permissions) == 0)
  }
}
