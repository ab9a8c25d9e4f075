internal import CLinux
internal import Glibc

/// Transparent huge pages of the host.
enum HugePages {
  private static let path = "/sys/kernel/mm/transparent_hugepage/enabled"

  /// Why a program gets none even if it asks, or nil where it may.
  static var problem: String? { problem(path: path) }

  static func problem(path: String) -> String? {
    var text = [UInt8](repeating: 0, count: 256)
    // SAFETY: the path and the buffer hold for the calls, and the buffer's size goes along.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      return "--memory …,hugepages: this host's kernel has no transparent huge pages; leave hugepages out"
    }
    defer { close(file) }
    let count = unsafe read(file, &text, text.count)
    guard String(decoding: text.prefix(max(0, count)), as: UTF8.self).contains("[never]") else { return nil }
    return "--memory …,hugepages: the host gives none; as root: echo madvise >\(path), or leave hugepages out"
  }
}
