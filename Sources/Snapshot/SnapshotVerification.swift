internal import CSnapshot
internal import Host

/// A place where a file of memory isn't what was written.
package struct MemoryDamage: Equatable, Sendable, CustomStringConvertible {
  /// The file's name.
  package let file: String
  /// Where in the region it is, and in the file, in bytes.
  package let bytes: Range<UInt64>
  /// Whether there is something where nothing was written; otherwise what was written is something else now.
  package let isExtra: Bool

  package var description: String {
    let place = "\(file): bytes \(bytes.lowerBound) to \(bytes.upperBound - 1)"
    return isExtra ? "\(place) are not zero, and nothing was written there" : "\(place) are not what was written"
  }
}

extension SnapshotReader {
  /// Reads all memory and compares it with the checksums that were made when it was written.
  ///
  /// - Returns: each block that is damaged. Files without checksums have none: see ``MemoryFile/hasChecksums``.
  /// - Throws: ``SnapshotError`` where a file cannot be read.
  package func damagedMemory() throws(SnapshotError) -> [MemoryDamage] {
    var found: [MemoryDamage] = []
    for file in memory {
      do throws(MemoryReadError) {
        found += try file.damages(pageSize: Int(manifest.pageSize), seed: manifest.identifier.seed)
      } catch {
        throw .host(.read, path: "\(path)/\(error.file)", errno: error.errno)
      }
    }
    return found
  }
}

extension MemoryFile {
  /// Whether it can be told what of it is damaged.
  package var hasChecksums: Bool { !blocks.isEmpty }

  fileprivate func damages(pageSize: Int, seed: UInt32) throws(MemoryReadError) -> [MemoryDamage] {
    guard hasChecksums else { return [] }
    var found: [MemoryDamage] = []
    var reader = BlockReader(file: self)
    var next = runs.startIndex
    for (number, expected) in blocks.enumerated() {
      let block = number * MemoryIndex.blockSize..<min((number + 1) * MemoryIndex.blockSize, Int(description.size))
      var checksum: UInt32 = 0
      var end = block.lowerBound
      var isExtra = false
      while next < runs.endIndex, runs[next].first * pageSize < block.upperBound {
        let run = runs[next]
        if !run.isZero {
          let piece = (run.first * pageSize..<run.end * pageSize).clamped(to: block)
          isExtra = try reader.hasData(end..<piece.lowerBound) || isExtra
          // As where it was written, a checksum begins anew behind one that came to zero.
          checksum = try reader.checksum(piece, after: checksum != 0 ? checksum : seed)
          end = piece.upperBound
        }
        guard run.end * pageSize <= block.upperBound else { break }
        next += 1
      }
      isExtra = try reader.hasData(end..<block.upperBound) || isExtra
      let bytes = UInt64(block.lowerBound)..<UInt64(block.upperBound)
      if checksum != expected {
        found.append(MemoryDamage(file: description.file, bytes: bytes, isExtra: false))
      } else if isExtra {
        found.append(MemoryDamage(file: description.file, bytes: bytes, isExtra: true))
      }
    }
    return found
  }
}

/// Reads pieces of blocks.
private struct BlockReader {
  let file: MemoryFile
  private var buffer = [UInt8](repeating: 0, count: MemoryIndex.blockSize)

  init(file: MemoryFile) {
    self.file = file
  }

  private mutating func read<Result>(
    _ range: Range<Int>,
    _ body: (UnsafeRawPointer) -> Result
  ) throws(MemoryReadError) -> Result? {
    guard !range.isEmpty else { return nil }
    // SAFETY: no piece is larger than a block, of which the buffer has the bytes; they hold for the call.
    let (errno, result) = unsafe buffer.withUnsafeMutableBytes { buffer -> (Int32, Result?) in
      guard let base = buffer.baseAddress else { return (0, nil) }
      let errno = unsafe csnapshot_read_at(file.descriptor, base, range.count, UInt64(range.lowerBound))
      return unsafe (errno, errno == 0 ? body(base) : nil)
    }
    guard errno == 0 else { throw MemoryReadError(file: file.description.file, errno: -errno) }
    return result
  }

  /// The checksum of what a piece has.
  mutating func checksum(_ range: Range<Int>, after checksum: UInt32) throws(MemoryReadError) -> UInt32 {
    // SAFETY: as many bytes are there as were read.
    try unsafe read(range) { unsafe csnapshot_crc32c(checksum, $0, range.count) } ?? checksum
  }

  /// Whether a piece that was a hole has something in it.
  mutating func hasData(_ range: Range<Int>) throws(MemoryReadError) -> Bool {
    guard !range.isEmpty else { return false }
    let first = csnapshot_next_data(file.descriptor, UInt64(range.lowerBound), UInt64(range.upperBound))
    guard first < UInt64(range.upperBound) else { return false }
    // SAFETY: as above.
    return try unsafe read(range) { unsafe !csnapshot_is_zero($0, range.count) } ?? false
  }
}
