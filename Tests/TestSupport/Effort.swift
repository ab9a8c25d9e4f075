import Glibc

/// How much a test with many random or exhaustive cases tries.
public enum Effort {
  /// As many cases as a test asks for, or a twentieth where `APUS_TEST_EFFORT` is `brief`: on an emulated processor,
  /// after all of them have been tried natively.
  public static func cases(_ count: Int) -> Int {
    // SAFETY: nothing changes the environment while tests run.
    let effort = unsafe getenv("APUS_TEST_EFFORT").map { unsafe String(cString: $0) }
    return effort == "brief" ? max(1, count / 20) : count
  }
}
