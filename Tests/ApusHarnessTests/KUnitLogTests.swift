import ApusHarness
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// The kernel's own inputs for its parser, with the totals that its tests state: `Tests/Harness/kunit-logs` takes them
/// out of the kernel's source, whose licence is not ours, and says by `APUS_KUNIT_LOGS` where they are.
@Suite struct KUnitLogTests {
  /// Name; whether all passes; passed, skipped, and failed or missing tests.
  private static let totals: [(String, passes: Bool, passed: Int, skipped: Int, failures: Int)] = [
    ("test_is_test_passed-all_passed", true, 10, 0, 0), ("test_is_test_passed-all_passed_nested", true, 7, 0, 0),
    ("test_is_test_passed-kselftest", true, 4, 0, 0), ("test_is_test_passed-failure", false, 9, 0, 1),
    ("test_is_test_passed-no_tests_run_no_header", false, 0, 0, 0),
    ("test_is_test_passed-missing_plan", true, 10, 0, 0),
    ("test_is_test_passed-no_tests_run_with_header", false, 0, 0, 0), ("test_insufficient_memory", false, 0, 0, 0),
    ("test_skip_tests", true, 4, 1, 0), ("test_skip_all_tests", false, 0, 5, 0), ("test_strip_hyphen", true, 2, 0, 0),
    ("test_config_printk_time", true, 10, 0, 0), ("test_multiple_prefixes", true, 10, 0, 0),
    ("test_interrupted_tap_output", true, 10, 0, 0), ("test_pound_sign", true, 10, 0, 0),
    ("test_kernel_panic_interrupt", false, 8, 0, 2), ("test_pound_no_prefix", true, 10, 0, 0),
    ("test_parse_ktap_output", true, 3, 0, 0), ("test_parse_subtest_header", true, 1, 0, 0),
    ("test_parse_attributes", true, 1, 0, 0),
  ]

  // SAFETY: the environment does not change while tests run.
  private static let folder = unsafe getenv("APUS_KUNIT_LOGS").map { unsafe String(cString: $0) }

  @Test(.enabled(if: folder != nil, "APUS_KUNIT_LOGS is not set: Tests/Harness/kunit-logs sets it"))
  func eachLogHasTheTotalsOfTheKernelsOwnTests() throws {
    for (name, passes, passed, skipped, failures) in Self.totals {
      let bytes = try #require(Self.read("\(Self.folder ?? "")/\(name).log"), "\(name)")
      var reader = TAPReader()
      reader.read(bytes)
      let output = reader.finish()
      let totals = TestTotals(output.results)
      let run = TestRun(name: name, results: output.results, problems: output.problems)

      #expect(totals[.passed] == passed, "\(name)")
      #expect(totals[.skipped] == skipped, "\(name)")
      #expect(totals.failures == failures, "\(name)")
      #expect((TestReport(runs: [run]).verdict == .passed) == passes, "\(name)")
    }
  }

  private static func read(_ path: String) -> [UInt8]? {
    // SAFETY: the path holds for the call.
    guard let file = unsafe fopen(path, "r") else { return nil }
    // SAFETY: the file is open until here.
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe fread($0.baseAddress, 1, $0.count, file) }
    return Array(bytes[..<count])
  }
}
