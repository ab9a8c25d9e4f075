import Apus
import ArgumentParser

/// A flag: it makes one device, however often it is given.
enum EntropyOption {
  static let help: ArgumentHelp = "A device that gives the guest random numbers."
  static let setting = Setting { settings in
    guard !settings.configuration.devices.contains(where: { $0.kind == .entropy }) else { return }
    settings.configuration.devices.append(Configuration.Device(.entropy))
  }
}
