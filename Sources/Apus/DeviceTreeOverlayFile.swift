import DeviceTree
import Host

/// An overlay that was read from a file.
struct DeviceTreeOverlayFile: Sendable {
  private let path: String
  private let index: Int
  private let overlay: DeviceTreeOverlay

  /// - Parameter index: which of the configuration's overlays it is.
  init(path: String, index: Int) throws(DeviceTreeOverlayFileError) {
    let bytes: [UInt8]
    do throws(InputFileError) {
      bytes = try InputFile.read(path)
    } catch {
      throw DeviceTreeOverlayFileError(error.kind, index, "\(error)")
    }
    self.path = path
    self.index = index
    do {
      overlay = try DeviceTreeOverlay(bytes)
    } catch {
      throw DeviceTreeOverlayFileError(path, index, error)
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
      throw DeviceTreeOverlayFileError(path, index, error)
    }
    guard result.count <= limit else {
      throw DeviceTreeOverlayFileError(
        .badInput,
        index,
        "'\(path)' makes the device tree \(result.count) bytes large, and a kernel takes at most \(limit); "
          + "give a smaller one"
      )
    }
    return result
  }
}

/// An overlay that cannot be used, with the file's name.
struct DeviceTreeOverlayFileError: Error, Equatable, CustomStringConvertible {
  let kind: ConfigurationError.Kind
  /// Which of the configuration's overlays it is.
  let index: Int
  let description: String

  init(_ kind: ConfigurationError.Kind, _ index: Int, _ description: String) {
    self.kind = kind
    self.index = index
    self.description = description
  }

  fileprivate init(_ path: String, _ index: Int, _ error: DeviceTreeOverlayError) {
    self.init(.badInput, index, "'\(path)' \(error)")
  }
}
