import Apus

/// What stands where in a configuration, as whoever wrote QEMU's options knows it.
enum QEMUNames {
  /// A mistake in the words of QEMU's command line: the option and the reason.
  static func message(_ problem: ConfigurationError.Problem, _ configuration: Configuration) -> String {
    let naming = { (path: Configuration.Path, _: String?) in option(path, configuration) }
    return option(problem.path, configuration) + (problem.reason.isPredicate ? " " : ": ")
      + problem.reason.text(naming: naming)
  }

  private static func option(_ path: Configuration.Path, _ configuration: Configuration) -> String {
    switch path {
    case .property(let property): option(property, configuration)
    case .deviceTreeOverlay: "-dtb"
    case .device(let index, _):
      configuration.devices.indices.contains(index) ? option(configuration.devices[index]) : "-device"
    }
  }

  private static func option(_ device: Configuration.Device) -> String {
    switch device.kind {
    case .block(let block): "-drive file=\(block.path)"
    case .network(let network): network.connection.isUser ? "-netdev user" : "-netdev tap"
    case .console: "-device virtserialport"
    case .vhostUser: "-device vhost-user-fs-device"
    default: "-device"
    }
  }

  private static func option(_ property: Configuration.Property, _ configuration: Configuration) -> String {
    switch property {
    case .payload: "-kernel"
    case .initramfs: "-initrd"
    case .commandLine: "-append"
    case .name: "-name"
    case .uuid: "-uuid"
    case .cpuCount: "-smp"
    case .memorySize, .memoryLimit, .pages: "-m"
    case .gic: "-machine gic-version"
    case .cpuFeatures, .cpuModel: "-cpu"
    case .console: "-serial"
    case .control: "-daemonize"
    case .onReset: "-no-reboot"
    case .kvmPath: "-accel kvm"
    case .debugger: "-gdb"
    default: "-machine"
    }
  }
}

extension Configuration.Device.Network.Connection {
  fileprivate var isUser: Bool { if case .passt = self { true } else { false } }
}
