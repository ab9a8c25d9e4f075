#if canImport(Testing)
  public import Testing

  extension Trait where Self == ConditionTrait {
    /// A test that runs guests. It is skipped where there is no arm64 KVM, unless REQUIRE_KVM=1 makes that a failure.
    public static var requiresKVM: Self {
      .enabled(if: KVMHost.runsTests, "this host runs no arm64 guests; 'make test' runs these on one that does")
    }

    /// A test with passt, besides ``requiresKVM``: passt does not run without user namespaces.
    public static var requiresPasst: Self {
      .enabled(
        if: KVMHost.isRequired || HostProcess.hasUserNamespaces,
        "the host's kernel has no user namespaces, without which passt does not run"
      )
    }
  }
#endif
