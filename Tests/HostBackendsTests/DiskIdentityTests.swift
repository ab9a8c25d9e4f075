import Foundation
import Glibc
import Testing
import Virtio

@testable import HostBackends

@Suite struct DiskIdentityTests {
  private let advice = "give the image as it was, or name the disk once more to have this one taken"

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined()
  }

  @Test func checksumIsThatOfAllBytes() throws {
    let image = try TestImage(.folder, size: 512)
    let zeros = try DiskImage(path: image.path, isReadOnly: true).identity(hasChecksum: true)
    image.resize(16384 + 512)
    image.write((0..<16384 + 512).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 251) })

    let text = try DiskImage(path: image.path, isReadOnly: true).identity(hasChecksum: true)

    #expect(hexadecimal(zeros.checksum ?? []) == "076a27c79e5ace2a3d47f9dd2e83e4ff6ea8872b3c2218f66c92b89b55f36560")
    #expect(hexadecimal(text.checksum ?? []) == "dd6242dc4591029b0dd23cd4c0a3f6521b413d1401beeaac4aaa2752407d0dc3")
  }

  @Test func imageThatNobodyTouchedIsTheSameAndCodedItIs() throws {
    let image = try TestImage(.folder, size: 1024)
    let disk = try DiskImage(path: image.path, isReadOnly: false)
    let before = try disk.identity()
    let coded = try JSONEncoder().encode(Versioned(before))

    let read = try JSONDecoder().decode(Versioned<DiskIdentity>.self, from: coded).state

    #expect(read == before)
    #expect(read.difference(to: try disk.identity(), acceptsOthers: false) == nil)
  }

  @Test func whatIsAnotherImageIsToldWithWhatWouldBeRight() throws {
    let image = try TestImage(.folder, size: 1024)
    let disk = try DiskImage(path: image.path, isReadOnly: false)
    let before = try disk.identity()
    usleep(20_000)
    image.write([1])
    let changed = try disk.identity()
    var (other, larger, locked) = (before, before, before)
    other.inode += 1
    larger.size += 512
    locked.isReadOnly = true

    func difference(_ present: DiskIdentity, _ acceptsOthers: Bool = false) -> String {
      before.difference(to: present, acceptsOthers: acceptsOthers) ?? "none"
    }

    let path = image.path
    #expect(
      difference(changed)
        == "'\(path)' was changed since the snapshot; \(advice)"
    )
    #expect(
      difference(other)
        == "'\(path)' is another file than the disk was ('\(path)'); \(advice)"
    )
    #expect(difference(changed, true) == "none" && difference(other, true) == "none")
    let size = "the disk had 1024 bytes, and '\(path)' has 1536; give the image as it was"
    #expect(difference(larger) == size && difference(larger, true) == size)
    #expect(difference(locked, true) == "the disk was the guest's to write, and is read-only here; leave that out")
  }

  @Test func imageWithAChecksumMayBeACopyOfTheSameBytes() throws {
    let (image, copy) = (try TestImage(.folder, size: 1024), try TestImage(.memory, size: 1024))
    image.write([1, 2, 3])
    copy.write([1, 2, 3])
    let before = try DiskImage(path: image.path, isReadOnly: true).identity(hasChecksum: true)
    let same = try DiskImage(path: copy.path, isReadOnly: true).identity(hasChecksum: true)
    copy.write([4])
    let other = try DiskImage(path: copy.path, isReadOnly: true).identity(hasChecksum: true)

    #expect(before.difference(to: same, acceptsOthers: false) == nil)
    #expect(
      before.difference(to: other, acceptsOthers: false)
        == "what is on '\(copy.path)' is not what was on the disk; \(advice)"
    )
  }
}
