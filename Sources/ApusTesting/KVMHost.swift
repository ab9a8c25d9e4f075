public import Apus
internal import Glibc

/// Whether tests that need arm64 KVM run here.
public enum KVMHost {
  /// Whether the host runs arm64 guests.
  public static let isUsable = HostSurvey(triesPrograms: false).isUsable

  /// Whether REQUIRE_KVM=1 is set: tests that need KVM then run, and fail, also where it is missing.
  public static var isRequired: Bool {
    // SAFETY: the texts hold for the calls, and nothing in a test changes the environment.
    unsafe getenv("REQUIRE_KVM").map { unsafe String(cString: $0) } == "1"
  }

  /// Whether to run tests that need KVM.
  public static var runsTests: Bool { isRequired || isUsable }

  /// Whether to run tests that also need user namespaces: for passt, or to mount a file system.
  public static var runsTestsWithUserNamespaces: Bool { isRequired || hasUserNamespaces }

  private static var hasUserNamespaces: Bool {
    // SAFETY: the path holds for the call.
    unsafe access("/proc/self/ns/user", F_OK) == 0
  }

  /// The interrupt controllers that the host gives guests; none where it runs no guest.
  public static let interruptControllers: [Configuration.GIC] = HostSurvey(triesPrograms: false).interruptControllers
    .map {
      switch $0 {
      case .v2: .v2
      case .v3: .v3
      }
    }
}
