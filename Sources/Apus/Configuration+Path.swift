extension Configuration {
  /// The properties, by their names.
  public enum Property: String, CaseIterable, Sendable {
    case payload
    case initramfs
    case commandLine
    case name
    case uuid
    case cpuCount
    case memorySize
    case memoryLimit
    case pages
    case gic
    case cpuFeatures
    case cpuModel
    case personality
    case devices
    case dma
    case scmiTranscript
    case gunyahTranscript
    case console
    case control
    case onReset
    case unmapped
    case timeout
    case measuresMemory
    case kvmPath
    case deviceTreeOverlays
    case deviceTreeDump
    case debugger
  }

  /// Where something stands in a configuration. The description is as in Swift and in a coded configuration:
  /// `cpuCount`, `devices[2].block.queueCount`.
  public enum Path: Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// A property of the configuration itself.
    case property(Property)
    /// One of the overlays, counted from 0.
    case deviceTreeOverlay(Int)
    /// One of the devices, counted from 0, and what of it.
    case device(Int, Device.Property)

    /// One of each, with 0 for each index.
    public static var allCases: [Path] {
      Property.allCases.map { .property($0) } + [.deviceTreeOverlay(0)]
        + Device.Property.allCases.map { .device(0, $0) }
    }

    public var description: String {
      switch self {
      case .property(let property): property.rawValue
      case .deviceTreeOverlay(let index): "deviceTreeOverlays[\(index)]"
      case .device(let index, .whole): "devices[\(index)]"
      case .device(let index, let property): "devices[\(index)].\(property)"
      }
    }
  }
}
