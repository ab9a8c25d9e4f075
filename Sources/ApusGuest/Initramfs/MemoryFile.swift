internal import CHost
internal import Host

/// A file in memory, which a configuration can name.
struct MemoryFile: ~Copyable {
  private let descriptor: OwnedDescriptor

  /// - Parameter pieces: what the file holds, one behind the other.
  /// - Throws: where the host has no descriptor or memory for it.
  init(_ pieces: [[UInt8]]) throws(HostError) {
    // SAFETY: the name is a constant, which the call copies.
    let number = unsafe chost_open_memory_file("apus-initramfs")
    guard number >= 0 else {
      throw HostError("memfd_create", errno: chost_errno(), advice: HostError.tooManyDescriptors)
    }
    let file = OwnedDescriptor(owning: number)
    for piece in pieces where !piece.isEmpty {
      // SAFETY: the buffer holds for the call and its size is passed along.
      let result = unsafe piece.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress else { return Int32(0) }
        return unsafe chost_write_all(number, base, buffer.count)
      }
      guard result == 0 else {
        throw HostError("writing a memfd", errno: chost_errno(), advice: "the host needs more free memory")
      }
    }
    descriptor = file
  }

  /// A path that leads to it as long as this value is there.
  var path: String { "/proc/self/fd/\(descriptor.rawValue)" }
}
