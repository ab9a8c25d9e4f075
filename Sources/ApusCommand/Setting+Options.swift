import Apus
import ArgumentParser
import Host
import Logging

/// How each option's text is read.
extension Setting {
  static let cpus: Reader = value({ Int(plain: $0) }, form: "give a whole number from 1, such as 4") {
    $0.configuration.cpuCount = $1
  }
  static let memory: Reader = { text in
    let comma = text.utf8.firstIndex(of: UInt8(ascii: ",")) ?? text.endIndex
    let pages: Configuration.Pages? =
      switch text[comma...] {
      case "": .hugeWherePossible
      case ",hugepages": .huge
      case ",smallpages": .small
      default: nil
      }
    guard let size = ByteCount(String(text[..<comma])), let pages else {
      throw ValidationError(ByteCount.form + ", and ',hugepages' or ',smallpages' behind it to insist on such pages")
    }
    return Setting {
      $0.configuration.memorySize = size.bytes
      $0.configuration.pages = pages
    }
  }
  static let memoryLimit: Reader = value { (settings, limit: ByteCount) in
    settings.configuration.memoryLimit = limit.bytes
  }
  static let gic: Reader = value({ Configuration.GIC(option: $0) }, form: "give 'auto', '2' or '3'") {
    $0.configuration.gic = $1
  }
  static let cpu: Reader = value { $0.configuration.cpuFeatures = $1 }
  static let cpuModel: Reader = value(
    { Configuration.ProcessorChoice(option: $0) },
    form:
      "give host, \(ProcessorModel.shippedNames.joined(separator: ", ")), or a file's path with a '/' or '.json' in it"
  ) { $0.configuration.cpuModel = $1 }
  static let personality: Reader = value(
    { Configuration.Personality(rawValue: $0) },
    form: "give kvm, which every guest knows, or gunyah"
  ) { $0.configuration.personality = $1 }
  static let gunyahTranscript: Reader = text { $0.configuration.gunyahTranscript = $1 }
  static let name: Reader = text { $0.configuration.name = $1 }
  static let uuid: Reader = value { $0.configuration.uuid = $1 }
  /// Each adds to those before it.
  static let commandLine: Reader = text {
    $0.configuration.commandLine += $0.configuration.commandLine.isEmpty ? $1 : " " + $1
  }

  static let initrd: Reader = text { $0.configuration.initramfs = $1 }
  static let timeout: Reader = value { (settings, limit: TimeLimit) in
    settings.configuration.timeout = limit.duration
  }
  static let deviceTreeOverlay: Reader = text { $0.configuration.deviceTreeOverlays.append($1) }
  static let unmapped: Reader = value(
    { Configuration.UnmappedPolicy(rawValue: $0) },
    form: "give fault, which ends the machine, or zero, which reads 0 and drops what is written"
  ) { $0.configuration.unmapped = $1 }
  static let deviceTreeDump: Reader = text { $0.configuration.deviceTreeDump = $1 }
  static let control: Reader = { text in
    guard !text.isEmpty else { throw ValidationError("give auto, or the path of a socket") }
    return Setting { $0.configuration.control = text == "auto" ? .registered : .socket(path: text) }
  }
  static let report: Reader = text { $0.report = $1 }
  static let logLevel: Reader = value(
    { Logger.Level(rawValue: $0) },
    form: "give trace, debug, info, notice, warning, error or critical"
  ) { $0.logLevel = $1 }
  static let gdb: Reader = value { $0.configuration.debugger = $1 }
  static let kvm: Reader = text { $0.configuration.kvmPath = $1 }

  /// For an option that adds a device.
  static func device(
    _ text: String,
    _ read: (String) throws(DeviceTextError) -> Configuration.Device
  ) throws -> Setting {
    let device: Configuration.Device
    do {
      device = try read(text)
    } catch {
      throw ValidationError("\(error)")
    }
    return Setting { $0.configuration.devices.append(device) }
  }

  static let dma: Reader = value(
    { text in
      switch text {
      case "open": .open
      case "shadow": .shadow
      default: ByteCount(text).map { .confined(windowSize: $0.bytes) }
      }
    },
    form: "give a size such as 64M for each window, shadow for copies, or open for all of RAM"
  ) { (settings, dma: Configuration.DMA) in settings.configuration.dma = dma }
}

extension Configuration.GIC {
  /// Reads `auto`, `2` or `3`.
  fileprivate init?(option: String) {
    guard let choice = Self.allCases.first(where: { $0.option == option }) else { return nil }
    self = choice
  }

  /// The option's word for it.
  var option: String {
    switch self {
    case .automatic: "auto"
    case .v2: "2"
    case .v3: "3"
    }
  }
}
