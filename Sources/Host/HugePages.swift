/// Transparent huge pages of the host.
package enum HugePages {
  private static let path = "/sys/kernel/mm/transparent_hugepage/enabled"

  /// Why a program gets none even if it asks, or nil where it may.
  package static var problem: String? { problem(path: path) }

  /// The same by another file of the kernel's, for tests.
  package static func problem(path: String) -> String? {
    guard let setting = try? InputFile.read(path) else {
      return "this host's kernel has no transparent huge pages; do not insist on them"
    }
    guard String(decoding: setting, as: UTF8.self).contains("[never]") else { return nil }
    return "the host gives no huge pages; as root: echo madvise >\(path), or do not insist on them"
  }
}
