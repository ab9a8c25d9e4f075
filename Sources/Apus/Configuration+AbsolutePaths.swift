import Host

extension Configuration {
  /// The same machine for another working directory: every path goes from the root.
  var withAbsolutePaths: Configuration { changingInputPaths(HostPath.absolute) }

  /// The same machine with other paths, of all that it reads, writes and makes.
  func changingPaths(_ change: (String) -> String) -> Configuration {
    var configuration = changingInputPaths(change)
    if case .file(let path) = cpuModel { configuration.cpuModel = .file(path: change(path)) }
    switch console {
    case .file(let path): configuration.console = .file(path: change(path))
    case .pseudoTerminal(let link?): configuration.console = .pseudoTerminal(link: change(link))
    case .stream, .standardStreams, .pseudoTerminal(nil), .descriptor, .none: break
    }
    if case .socket(let path)? = control { configuration.control = .socket(path: change(path)) }
    if case .socket(let path)? = debugger?.address { configuration.debugger?.address = .socket(path: change(path)) }
    configuration.scmiTranscript = scmiTranscript.map(change)
    configuration.gunyahTranscript = gunyahTranscript.map(change)
    configuration.deviceTreeDump = deviceTreeDump.map(change)
    configuration.kvmPath = change(kvmPath)
    return configuration
  }

  /// The same with other paths of what a boot loads and devices lead to.
  private func changingInputPaths(_ change: (String) -> String) -> Configuration {
    var configuration = self
    configuration.payload =
      switch payload {
      case .kernel(let path): .kernel(path: change(path))
      case .raw(let path): .raw(path: change(path))
      }
    configuration.initramfs = initramfs.map(change)
    configuration.deviceTreeOverlays = deviceTreeOverlays.map(change)
    for index in configuration.devices.indices { configuration.devices[index].kind.changePaths(change) }
    return configuration
  }
}
