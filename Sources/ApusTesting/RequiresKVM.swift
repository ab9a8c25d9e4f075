#if canImport(Testing)
  public import Testing

  extension Trait where Self == ConditionTrait {
    /// A test that runs guests. It is skipped where there is no arm64 KVM, unless REQUIRE_KVM=1 makes that a failure.
    public static var requiresKVM: Self {
      .enabled(if: KVMHost.runsTests, "this host runs no arm64 guests; 'make test' runs these on one that does")
    }

    /// A test with user namespaces, besides ``requiresKVM``: passt does not run without, and no file system is mounted.
    public static var requiresUserNamespaces: Self {
      .enabled(if: KVMHost.runsTestsWithUserNamespaces, "the host's kernel has no user namespaces")
    }
  }
#endif
