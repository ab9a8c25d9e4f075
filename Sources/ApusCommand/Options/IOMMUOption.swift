import Apus
import ArgumentParser

/// A flag: it makes one device, however often it is given.
enum IOMMUOption {
  static let help: ArgumentHelp = """
    An IOMMU before all devices: each reaches what the guest has mapped for it, and nothing else.
    """
  static let setting = Setting { settings in
    guard !settings.configuration.devices.contains(where: { $0.kind == .iommu }) else { return }
    settings.configuration.devices.append(Configuration.Device(.iommu))
  }
}
