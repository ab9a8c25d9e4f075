import DeviceTree
import Host

/// An overlay that was read from a file.
struct DeviceTreeOverlayFile: Sendable {
  private let path: String
  private let overlay: DeviceTreeOverlay

  init(path: String) throws(DeviceTreeOverlayFileError) {
    let bytes: [UInt8]
    do throws(InputFileError) {
      bytes = try InputFile.read(path)
    } catch {
      throw DeviceTreeOverlayFileError(error.kind, "--dtb-overlay: \(error)")
    }
    self.path = path
    do {
      overlay = try DeviceTreeOverlay(bytes)
    } catch {
      throw DeviceTreeOverlayFileError(path, error)
    }
  }

  /// The tree with the overlay.
  ///
  /// - Throws: also where the tree becomes larger than any may be.
  func applied(to tree: [UInt8], limit: UInt64) throws(DeviceTreeOverlayFileError) -> [UInt8] {
    let result: [UInt8]
    do {
      result = try overlay.applied(to: tree)
    } catch {
      throw DeviceTreeOverlayFileError(path, error)
    }
    guard result.count <= limit else {
      throw DeviceTreeOverlayFileError(
        .badInput,
        "--dtb-overlay: '\(path)' makes the device tree \(result.count) bytes large, and a kernel takes at most \(limit); "
          + "give a smaller one"
      )
    }
    return result
  }
}

/// An overlay that cannot be used, with the option and the file's name.
struct DeviceTreeOverlayFileError: Error, Equatable, CustomStringConvertible {
  let kind: ConfigurationError.Kind
  let description: String

  init(_ kind: ConfigurationError.Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  fileprivate init(_ path: String, _ error: DeviceTreeOverlayError) {
    self.init(.badInput, "--dtb-overlay: '\(path)' \(error)")
  }
}
