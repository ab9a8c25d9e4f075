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
    case pages
    case gic
    case cpuFeatures
    case devices
    case dma
    case scmiTranscript
    case console
    case onReset
    case unmapped
    case timeout
    case measuresMemory
    case kvmPath
    case deviceTreeOverlays
    case deviceTreeDump
  }
}
