import Apus

// What stands where in a configuration, as whoever wrote the command line knows it.

extension Configuration {
  /// A mistake in the words of the command line: the option, with its value where that tells more, and the reason.
  func message(_ problem: ConfigurationError.Problem) -> String {
    let reason = problem.reason.text(naming: option)
    guard problem.reason.isPredicate else { return "\(option(problem.path)): \(reason)" }
    // What is said of all of them is not said of a list of options.
    return "\(problem.path == .property(.devices) ? "the devices" : option(problem.path)) \(reason)"
  }

  /// The option for a place of the configuration.
  ///
  /// - Parameter value: what to give to it, in the library's words; nil where that is not said.
  func option(_ path: Path, value: String? = nil) -> String {
    switch path {
    case .property(let property): option(property, value)
    case .deviceTreeOverlay: "--dtb-overlay"
    case .device(let index, let property):
      Device.option(property, of: devices.indices.contains(index) ? devices[index] : nil)
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
    case .memoryLimit: "--memory-limit"
    case .pages: "--memory …,\(pages == .small ? "smallpages" : "hugepages")"
    case .gic: "--gic \((value.flatMap { GIC(rawValue: $0) } ?? gic).option)"
    case .cpuFeatures: "--cpu"
    case .cpuModel: "--cpu-model"
    case .personality: value.map { "--personality \($0)" } ?? "--personality"
    case .devices: DeviceOptions.all
    case .dma: value.map { "--dma \($0)" } ?? "--dma"
    case .scmiTranscript: "--scmi-transcript"
    case .gunyahTranscript: "--gunyah-transcript"
    case .console: "--console"
    case .control: "--control"
    case .onReset: onReset == .reboot ? "--reboot" : "--no-reboot"
    case .unmapped: value.map { "--unmapped \($0)" } ?? "--unmapped"
    case .timeout: "--timeout"
    // Nobody can give it a wrong value: it follows from there being a report.
    case .measuresMemory: "--report"
    case .kvmPath: "--kvm"
    case .deviceTreeOverlays: "--dtb-overlay"
    case .deviceTreeDump: "--dump-dtb"
    case .debugger: "--gdb"
    }
  }
}
