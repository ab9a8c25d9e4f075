import GuestABI

extension Board {
  /// - Parameters:
  ///   - configuration: without mistakes.
  ///   - platform: which it names, opened.
  ///   - gic: what the host gives, or is expected to give.
  convenience init(_ configuration: Configuration, platform: SCMIPlace?, gic: GICVersion) {
    let tree = platform.map { MachineTree.SCMI($0.platform, agent: $0.agent) }
    self.init(configuration, platform: tree, gic: gic)
  }

  private convenience init(_ configuration: Configuration, platform: MachineTree.SCMI?, gic: GICVersion) {
    self.init(
      gic: gic,
      cpuCount: configuration.cpuCount,
      memorySize: configuration.memorySize,
      commandLine: configuration.kernelCommandLine,
      windowNames: configuration.windowNames,
      windowSizes: configuration.windowSizes,
      hotplugRegions: configuration.hotplugMemory.map { WantedRegion(name: $0.name, size: $0.size) },
      devices: configuration.devices.indices.map {
        WantedDevice(
          type: configuration.devices[$0].typeName,
          window: configuration.windowName(of: $0),
          isIOMMU: configuration.devices[$0].kind.value.isIOMMU
        )
      },
      platform: platform,
      isGunyah: configuration.personality == .gunyah
    )
  }

  /// The same machine with another interrupt controller, which is all that only the host decides.
  func with(_ gic: GICVersion, of configuration: Configuration) -> Board {
    gic == self.gic ? self : Board(configuration, platform: platform, gic: gic)
  }
}
