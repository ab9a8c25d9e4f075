import Apus

// What stands where in a configuration, as whoever wrote the command line knows it.

extension Configuration {
  /// A mistake in the words of the command line: the option, with its value where that tells more, and the reason.
  func message(_ problem: ConfigurationError.Problem) -> String {
    option(problem.path) + (problem.reason.isPredicate ? " " : ": ") + problem.reason.text(naming: option)
  }

  /// The option for a place of the configuration.
  ///
  /// - Parameter value: what to give to it, in the library's words; nil where that is not said.
  func option(_ path: Path, value: String? = nil) -> String {
    switch path {
    case .property(let property): option(property, value)
    case .deviceTreeOverlay: "--dtb-overlay"
    case .device(let index, let property): option(devices.indices.contains(index) ? devices[index] : nil, property)
    }
  }

  private func option(_ property: Property, _ value: String?) -> String {
    switch property {
    case .payload: value == "raw" ? "--raw" : "--kernel"
    case .initramfs: "--initrd"
    case .commandLine: "--append"
    case .name: "--name"
    case .uuid: "--uuid"
    case .cpuCount: "--cpus"
    case .memorySize: "--memory"
    case .pages: "--memory …,\(pages == .small ? "smallpages" : "hugepages")"
    case .gic: "--gic \((value.flatMap { GIC(rawValue: $0) } ?? gic).option)"
    case .cpuFeatures: "--cpu"
    case .devices: "--block, --entropy, --network, --console, --port and --scmi"
    case .dma: value.map { "--dma \($0)" } ?? "--dma"
    case .scmiTranscript: "--scmi-transcript"
    case .console: "--console"
    case .onReset: onReset == .reboot ? "--reboot" : "--no-reboot"
    case .unmapped: value.map { "--unmapped \($0)" } ?? "--unmapped"
    case .timeout: "--timeout"
    // Nobody can give it a wrong value: it follows from there being a report.
    case .measuresMemory: "--report"
    case .kvmPath: "--kvm"
    case .deviceTreeOverlays: "--dtb-overlay"
    case .deviceTreeDump: "--dump-dtb"
    }
  }

  /// - Parameter device: nil for one that could be added.
  private func option(_ device: Device?, _ property: Device.Property) -> String {
    switch property {
    case .whole: device?.option ?? option(.devices, nil)
    case .window: "\(device?.option ?? "--block") window=\(device?.window ?? "NAME")"
    case .block(let property): BlockOption.name(property, of: device)
    case .network(let property): NetworkOption.name(property, of: device)
    case .console(let property): PortOption.name(property, of: device)
    case .scmi(let property): SCMIOption.name(property, of: device)
    }
  }
}

extension Configuration.Device {
  /// The option that adds such a device.
  fileprivate var option: String {
    switch kind {
    case .entropy: "--entropy"
    case .block: "--block"
    case .network: "--network"
    case .console(let console): console.carriesConsole ? "--console virtio" : "--port"
    case .scmi: "--scmi"
    }
  }
}
