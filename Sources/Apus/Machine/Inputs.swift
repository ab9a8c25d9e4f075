internal import BootImage
import CPUModel
import SCMI

/// What a machine reads, open: found when its configuration is checked, lent to each of its boots, and closed with it.
///
/// What is opened here is what the guest gets: nobody looks at a path a second time.
final class Inputs: @unchecked Sendable {
  // SAFETY: @unchecked: whoever checks the configuration hands the devices to the device thread, and keeps nothing.

  /// What a boot loads; nil where the machine goes on from a snapshot, until its guest reboots.
  private(set) var boot: BootFiles?
  /// What stands behind each virtio device, in the order of the configuration.
  let devices: [DeviceResource]
  /// What the guest is promised of its processor; nil for what the host shows.
  let model: ProcessorModel?

  init(boot: BootFiles?, devices: [DeviceResource], model: ProcessorModel?) {
    self.boot = boot
    self.devices = devices
    self.model = model
  }

  /// What a boot loads, opened now where it is not yet.
  ///
  /// - Throws: ``ConfigurationError`` for files that cannot be used.
  func bootFiles(of configuration: Configuration) throws(ConfigurationError) -> BootFiles {
    if let boot { return boot }
    var problems: [ConfigurationError.Problem] = []
    guard let files = configuration.openBootFiles(&problems) else { throw ConfigurationError(problems: problems) }
    boot = files
    return files
  }
}

/// What a boot puts into memory, open.
struct BootFiles {
  let payload: OpenImage
  let image: BootImageDescription
  let initramfs: OpenImage?
  let overlays: [DeviceTreeOverlayFile]

  /// What has to be known of the initramfs to find its place.
  var initramfsSize: BootPlacement.Initramfs? { initramfs.map { .init($0.file) } }
}

/// An open file that the guest's memory is loaded from, as a reference.
final class OpenImage: Sendable {
  let file: BootImageFile

  /// - Throws: as ``BootImageFile/init(path:)``.
  init(path: String) throws(BootImageError) {
    file = try BootImageFile(path: path)
  }
}

extension Configuration {
  /// Opens what a boot loads.
  ///
  /// - Parameter problems: gets every mistake.
  /// - Returns: nil where there are mistakes.
  func openBootFiles(_ problems: inout [ConfigurationError.Problem]) -> BootFiles? {
    let count = problems.count
    var payloadFile: OpenImage?
    var image: BootImageDescription?
    var initramfsFile: OpenImage?
    do {
      let opened = try OpenImage(path: payload.path)
      image = try opened.file.inspect(raw: payload.isRaw)
      payloadFile = opened
    } catch {
      problems.append(.init(error, in: self))
    }
    if let initramfs {
      do {
        initramfsFile = try OpenImage(path: initramfs)
      } catch {
        problems.append(.init(error, in: self))
      }
    }
    let overlays = openOverlays(&problems)
    guard problems.count == count, let image, let payloadFile else { return nil }
    return BootFiles(payload: payloadFile, image: image, initramfs: initramfsFile, overlays: overlays)
  }

  /// Opens everything that the machine reads.
  ///
  /// - Parameters:
  ///   - platform: which the configuration names, opened.
  ///   - boots: whether the machine begins with a boot; what that loads is not looked at otherwise.
  ///   - problems: gets every mistake.
  /// - Returns: nil where there are mistakes.
  func openInputs(
    _ platform: SCMIPlace?,
    boots: Bool,
    _ problems: inout [ConfigurationError.Problem]
  ) -> Inputs? {
    let boot = boots ? openBootFiles(&problems) : nil
    let model = openModel(&problems)
    var resources: [DeviceResource] = []
    for (index, device) in devices.enumerated() {
      do throws(ConfigurationError) {
        let resource = try device.kind.value.open(device: index, of: self, platform: platform)
        if let resource { resources.append(resource) }
      } catch {
        problems += error.problems
      }
    }
    return problems.isEmpty ? Inputs(boot: boot, devices: resources, model: model) : nil
  }

  /// Reads the device tree's overlays.
  func openOverlays(_ problems: inout [ConfigurationError.Problem]) -> [DeviceTreeOverlayFile] {
    var overlays: [DeviceTreeOverlayFile] = []
    for (index, path) in deviceTreeOverlays.enumerated() {
      do {
        overlays.append(try DeviceTreeOverlayFile(path: path, index: index))
      } catch {
        problems.append(.init(error))
      }
    }
    return overlays
  }

  /// Opens the platform that the machine is on.
  ///
  /// - Parameters:
  ///   - shared: the platform that several machines share, or nil.
  ///   - problems: gets every mistake in the platform's file and the agent.
  /// - Returns: the machine's place on its platform; nil where it is on none, or there are mistakes.
  func openPlatform(_ shared: SharedPlatform?, _ problems: inout [ConfigurationError.Problem]) -> SCMIPlace? {
    var place: SCMIPlace?
    for (index, device) in devices.enumerated() {
      do throws(ConfigurationError) {
        if let opened = try device.kind.value.openPlatform(shared, device: index) { place = opened }
      } catch {
        problems += error.problems
      }
    }
    return place
  }
}
