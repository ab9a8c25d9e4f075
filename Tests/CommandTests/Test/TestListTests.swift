import TestSupport
import Testing

@Suite("apus test --list")
struct TestListTests {
  /// Nothing, and words that are left to the argument parser.
  @Test("names each program that was given, however it was asked", arguments: [[], ["--fail-on=oops"]])
  func programs(more: [String]) throws {
    let given = ["--run", "/etc/passwd", "--module", "/etc/group", "--run", "/etc/group", "--run", "/etc/passwd"]

    let result = try apus(["test", "--kernel", "/none", "--initrd", "/none", "--list"] + given + more)

    #expect(result.output == "passwd\ngroup\npasswd#2\n")
    #expect(result.status == 0)
  }

  @Test("names each machine of a matrix", arguments: [[], ["--fail-on=oops"]])
  func matrix(more: [String]) throws {
    let given = ["--matrix", "cpus=1,2", "--memory", "128M", "--fresh", "--verbose"]

    let result = try apus(["test", "--kernel", "/none", "--initrd", "/tests.cpio", "--list"] + given + more)

    #expect(result.output == "cpus=1/tests.cpio\ncpus=2/tests.cpio\n")
    #expect(result.status == 0)
  }
}
