import Apus
import ApusGuest
import ApusHarness
import ArgumentParser
import TestSupport
import Testing

@testable import ApusCommand

@Suite struct TestSuiteTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.write("a.sh", Array("#!/bin/sh\n".utf8), permissions: 0o755)
    try folder.write("b.sh", Array("#!/bin/sh\n".utf8), permissions: 0o755)
    try folder.write("notes", [], permissions: 0o644)
  }

  /// What these arguments come to. Nothing is started, so the busybox is left out.
  private func suite(_ arguments: String...) throws -> TestSuite {
    try TestSuite(TestRunCommand.parse(["--kernel", "Image", "--list"] + arguments).request)
  }

  private func commandLine(_ arguments: String...) throws -> [String] {
    let command = try TestRunCommand.parse(["--kernel", "Image", "--list"] + arguments)
    let line = try TestSuite(command.request).machines[0].configuration.commandLine
    return line.split(separator: " ").map(String.init)
  }

  @Test func aGuestWithProgramsIsQuietAndEndsWhenItPanics() throws {
    let script = folder.path("a.sh")

    #expect(try commandLine("--run", script) == ["console=ttyAMA0", "panic=-1", "quiet"])
    #expect(try !commandLine("--run", script, "--fail-on", "warn").contains("quiet"))
    #expect(try !commandLine("--module", script).contains("quiet"))
  }

  @Test func whatTheCallerSaysOfTheCommandLineStays() throws {
    let script = folder.path("a.sh")

    #expect(
      try commandLine("--run", script, "--append", "panic=5 console=hvc0 loglevel=7")
        == ["panic=5", "console=hvc0", "loglevel=7"]
    )
  }

  @Test func aKernelWithoutAnInitramfsEndsAfterItsOwnTests() throws {
    #expect(try commandLine() == ["console=ttyAMA0", "panic=-1", "kunit_shutdown=poweroff"])
    #expect(try commandLine("--initrd", "x.cpio") == ["console=ttyAMA0", "panic=-1"])
    #expect(try commandLine("--append", "kunit_shutdown=reboot").last == "kunit_shutdown=reboot")
  }

  @Test func testsHaveTheirFilesNamesAndSecondOnesOfANameANumber() throws {
    let script = folder.path("a.sh")

    let suite = try suite("--run", script, "--run", folder.path("b.sh"), "--run", script)

    #expect(suite.items.map(\.name) == ["a.sh", "b.sh", "a.sh#2"])
  }

  @Test func machinesOfAMatrixStandBeforeTheNames() throws {
    let suite = try suite("--run", folder.path("a.sh"), "--matrix", "cpus=1,2")

    #expect(suite.items.map(\.name) == ["cpus=1/a.sh", "cpus=2/a.sh"])
    #expect(suite.machines.map(\.configuration.cpuCount) == [1, 2])
  }

  @Test func guestsThatTestByThemselvesAndModulesAreNamedByTheirFiles() throws {
    #expect(try suite().items.map(\.name) == ["Image"])
    #expect(try suite("--initrd", "/x/tests.cpio").items.map(\.name) == ["tests.cpio"])
    let modules = try suite("--module", folder.path("a.sh"), "--module", folder.path("b.sh"))
    #expect(modules.items.map(\.name) == ["a.sh+b.sh"])
  }

  @Test func ofAFolderTheProgramsAreTests() throws {
    #expect(try suite("--directory", folder.path).items.map(\.name) == ["a.sh", "b.sh"])
  }

  @Test func whatAListOfKselftestNamesAreTestsEachOnce() throws {
    try folder.write("kselftest-list.txt", Array("size:get_size\nkcmp:kcmp_test\nodd\nsize:get_size\n".utf8))

    let items = try suite("--directory", folder.path).items

    #expect(items.map(\.name) == ["size:get_size", "kcmp:kcmp_test", "size:get_size#2"])
  }

  @Test func oddNamesOfFilesAreNames() throws {
    let names = ["-x.sh", "a b", "q'u\"o", "two\nlines", "ü"]
    let odd = try TemporaryFolder()
    for name in names { try odd.write(name, Array("#!/bin/sh\n".utf8), permissions: 0o755) }

    #expect(try suite("--directory", odd.path).items.map(\.name) == names)
  }

  @Test func partsOfASuiteAreItsWholeAndNoneIsThereTwice() throws {
    let parts = try (1...3).map { try suite("--directory", folder.path, "--shard", "\($0)/3") }

    #expect(parts.flatMap { $0.items.map(\.name) }.sorted() == ["a.sh", "b.sh"])
    #expect(parts.allSatisfy { $0.shard?.total == 2 })
  }
}
