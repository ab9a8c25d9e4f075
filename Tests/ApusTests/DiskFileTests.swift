import Glibc
import KVM
import Testing
import VirtioDevices

@testable import Apus

@Suite struct DiskFileTests {
  /// A file that takes everything and can't flush it, until another takes its place.
  private func unreliableFile() -> (file: DiskFile, descriptor: Int32) {
    // SAFETY: the path holds for the call.
    let descriptor = unsafe "/dev/null".withCString { unsafe open($0, O_RDWR | O_CLOEXEC) }
    return (DiskFile(OwnedDescriptor(owning: descriptor), isDevice: false, nil), descriptor)
  }

  private func write(_ buffer: TestBuffer, isDurable: Bool) -> DiskRequest {
    // SAFETY: the caller keeps the buffer until the request is done.
    unsafe DiskRequest(
      tag: 0,
      work: .write,
      offset: 0,
      count: 512,
      isDurable: isDurable,
      segments: buffer.segments([(0, 512)])
    )
  }

  @Test func flushesAndDurableWritesFailForEverAfterTheHostFailedToFlushOnce() throws {
    let image = try TestImage(.folder, size: 65_536)
    let (file, descriptor) = unreliableFile()
    let buffer = TestBuffer([UInt8](repeating: 5, count: 512))

    let first = file.perform(DiskRequest(tag: 0, work: .flush))
    _ = dup2(image.descriptor, descriptor)
    let second = file.perform(DiskRequest(tag: 0, work: .flush))
    let durable = file.perform(write(buffer, isDurable: true))
    let cached = file.perform(write(buffer, isDurable: false))

    #expect(!first)
    #expect(!second && !durable, "what the host has lost once stays lost")
    #expect(cached)
  }

  @Test func aDurableWriteThatTheHostCannotFlushFailsAndSoDoesTheNextFlush() throws {
    let image = try TestImage(.folder, size: 65_536)
    let (file, descriptor) = unreliableFile()
    let buffer = TestBuffer([UInt8](repeating: 5, count: 512))

    let cached = file.perform(write(buffer, isDurable: false))
    let durable = file.perform(write(buffer, isDurable: true))
    _ = dup2(image.descriptor, descriptor)
    let flushed = file.perform(DiskRequest(tag: 0, work: .flush))

    #expect(cached)
    #expect(!durable && !flushed)
  }

  @Test func flushesOfManyThreadsAllSucceedOnAGoodFile() throws {
    let image = try TestImage(.folder, size: 65_536)
    let (file, _) = try DiskFile.open(image.path, isReadOnly: false)
    let finished = try CompletionBox()
    let threads = try (0..<4 as Range<UInt32>).map { tag in
      try HostThread(name: "flusher") {
        for _ in 0..<50 {
          finished.add(tag, file.perform(DiskRequest(tag: tag, work: .flush)))
        }
      }
    }

    for thread in threads { thread.join() }
    var taken: [BlockCompletion] = []
    _ = finished.take(into: &taken)

    #expect(taken.count == 200 && taken.allSatisfy(\.succeeded))
  }
}
