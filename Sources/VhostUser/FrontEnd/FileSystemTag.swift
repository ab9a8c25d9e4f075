/// The name by which a guest mounts a file system (virtio 1.3, 5.11.4).
package enum FileSystemTag {
  /// In bytes.
  private static let limit = 36
  /// Of those for requests; the queue for what has priority comes in front.
  private static let requestQueues: UInt32 = 1

  /// What is wrong with a tag; nil: nothing.
  package static func problem(_ tag: String) -> String? {
    let isPlain = tag.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    return isPlain && (1...limit).contains(tag.utf8.count)
      ? nil : "a tag has 1 to \(limit) bytes, and no control characters"
  }

  /// The configuration space of a file system with that tag: filled up with zeroes, and the number of queues.
  package static func configuration(_ tag: String) -> [UInt8] {
    var bytes = Array(tag.utf8) + Array(repeating: 0, count: limit - tag.utf8.count)
    bytes.append(number: requestQueues)
    return bytes
  }
}
