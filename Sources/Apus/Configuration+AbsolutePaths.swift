import Host

extension Configuration {
  /// The same machine for another working directory: every path goes from the root.
  var withAbsolutePaths: Configuration {
    var configuration = self
    configuration.payload =
      switch payload {
      case .kernel(let path): .kernel(path: HostPath.absolute(path))
      case .raw(let path): .raw(path: HostPath.absolute(path))
      }
    configuration.initramfs = initramfs.map(HostPath.absolute)
    configuration.deviceTreeOverlays = deviceTreeOverlays.map(HostPath.absolute)
    for index in configuration.devices.indices { configuration.devices[index].kind.changePaths(HostPath.absolute) }
    return configuration
  }
}
