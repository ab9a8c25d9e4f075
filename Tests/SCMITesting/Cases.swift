internal import Foundation

/// The small inputs of `Tests/Cases`.
public enum Cases {
  public static func read(_ file: String) throws -> [UInt8] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return [UInt8](try Data(contentsOf: folder.appending(path: "Cases/\(file)")))
  }
}
