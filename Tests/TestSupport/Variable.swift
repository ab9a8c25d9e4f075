internal import Glibc

/// The environment's variables.
public enum Variable {
  /// What a variable holds, or nil where it is not set.
  public static func value(_ name: String) -> String? {
    // SAFETY: the texts hold for the calls, and nothing in a test changes the environment.
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  /// The number that a variable holds, or `standard` where it holds none.
  public static func number(_ name: String, or standard: Int) -> Int { value(name).flatMap { Int($0) } ?? standard }
}
