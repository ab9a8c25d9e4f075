/// How much a test with many random or exhaustive cases tries.
public enum Effort {
  /// As many cases as a test asks for, or a twentieth where `APUS_TEST_EFFORT` is `brief`: on an emulated processor,
  /// after all of them have been tried natively.
  public static func cases(_ count: Int) -> Int { isBrief ? max(1, count / 20) : count }

  /// How far one tried case is from the next, where not every one is to be tried if `APUS_TEST_EFFORT` is `brief`.
  public static func step(_ usual: Int, brief: Int) -> Int { isBrief ? brief : usual }

  /// Whether `APUS_TEST_EFFORT` is `brief`.
  public static var isBrief: Bool { Variable.value("APUS_TEST_EFFORT") == "brief" }
}
