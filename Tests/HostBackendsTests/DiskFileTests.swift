import Glibc
import Host
import Logging
import TestSupport
import Testing
import VirtioDevices

@testable import HostBackends

@Suite struct DiskFileTests {
  /// A file that takes everything and can't flush it, until another takes its place.
  private func unreliableFile() -> (file: DiskFile, descriptor: Int32) {
    // SAFETY: the path holds for the call.
    let descriptor = unsafe "/dev/null".withCString { unsafe open($0, O_RDWR | O_CLOEXEC) }
    return (DiskFile(DiskImage(OwnedDescriptor(owning: descriptor)), nil), descriptor)
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

  @Test(arguments: [true, false])
  func aDiskOfAnotherMachineIsNeverEmptied(isReadOnly: Bool) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("disk", [UInt8](repeating: 7, count: 512))
    let disk = try DiskImage(path: path, isReadOnly: isReadOnly)

    #expect(throws: OutputFileError(inUse: path)) { _ = try RunFiles().open(path) }

    #expect(folder.read("disk") == [UInt8](repeating: 7, count: 512))
    _ = disk
  }

  @Test(arguments: [true, false])
  func aDiskIsFreeAfterItsUseThoughOthersHaveItsDescriptorYet(isGone: Bool) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("disk", [UInt8](repeating: 7, count: 512))
    let first = try DiskImage(path: path, isReadOnly: false)
    // As a process has it that is being started.
    let other = OwnedDescriptor(owning: dup(first.descriptor.rawValue))
    var disk: DiskImage? = consume first
    #expect(throws: DiskError.self) { _ = try DiskImage(path: path, isReadOnly: false) }

    if isGone { disk = nil } else { disk?.unlock() }

    #expect(throws: Never.self) { _ = try DiskImage(path: path, isReadOnly: false) }
    withExtendedLifetime(disk) {}
    #expect(other.rawValue >= 0)
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

  private func perform(_ work: DiskRequest.Work, _ offset: UInt64, _ count: UInt64, _ image: TestImage) throws -> Bool {
    let file = DiskFile(try DiskImage(path: image.path, isReadOnly: false), nil)
    return file.perform(DiskRequest(tag: 0, work: work, offset: offset, count: count))
  }

  @Test(arguments: TestImage.Place.allCases)
  func aDiscardedRangeIsAHoleInTheFile(place: TestImage.Place) throws {
    let image = try TestImage(place, size: 0)
    image.write([UInt8](repeating: 9, count: 8 << 20))
    let before = image.size

    let succeeded = try perform(.discard, 1 << 20, 4 << 20, image)

    #expect(succeeded)
    #expect(image.size.length == before.length)
    #expect(image.size.taken <= before.taken - 4 << 20)
    #expect(image.read(1, at: (1 << 20) - 1) == [9] && image.read(1, at: 5 << 20) == [9])
  }

  @Test(arguments: TestImage.Place.allCases, [false, true])
  func zeroesReadBackAndNothingElseDoes(place: TestImage.Place, mayDiscard: Bool) throws {
    let image = try TestImage(place, size: 0)
    image.write([UInt8](repeating: 9, count: 4 << 20))
    let before = image.size

    let succeeded = try perform(.writeZeroes(mayDiscard: mayDiscard), 512, (2 << 20) + 512, image)

    #expect(succeeded)
    #expect(firstDifference(image.read(513), [UInt8](repeating: 9, count: 512) + [0]) == nil)
    // Element by element, two million take half a minute on an emulated processor.
    let areZeroes = image.read(2 << 20, at: 1024) == [UInt8](repeating: 0, count: 2 << 20)
    #expect(areZeroes)
    #expect(firstDifference(image.read(512, at: (2 << 20) + 1024), repeatElement(9, count: 512)) == nil)
    #expect((image.size.taken < before.taken) == mayDiscard)
  }

  @Test(arguments: TestImage.Place.allCases, [false, true])
  func zeroesBehindTheEndOfATruncatedFileAreThereAfterwards(place: TestImage.Place, mayDiscard: Bool) throws {
    let image = try TestImage(place, size: 65_536)

    let succeeded = try perform(.writeZeroes(mayDiscard: mayDiscard), 1 << 20, 8192, image)

    #expect(succeeded)
    #expect(firstDifference(image.read(16_384, at: 1 << 20), repeatElement(0, count: 8192)) == nil)
  }

  @Test func aDiscardIsAHintToAFileSystemThatKnowsNoHoles() {
    // SAFETY: the path holds for the call.
    let descriptor = unsafe "/proc/self/comm".withCString { unsafe open($0, O_RDWR | O_CLOEXEC) }
    let file = DiskFile(DiskImage(OwnedDescriptor(owning: descriptor)), nil)

    #expect(file.perform(DiskRequest(tag: 0, work: .discard, offset: 0, count: 4096)))
  }

  @Test func anImageThatCannotBeLockedIsAWarning() {
    let recorder = LogRecorder(from: .warning)
    let trouble = DiskTrouble(name: "block0", path: "image", recorder.logger)

    trouble.noteLack(ofLock: ENOLCK)

    #expect(
      recorder.messages == [
        "block0: disk 'image' cannot be locked: No locks available; see to it that nobody else writes it while the guest runs"
      ]
    )
  }

  @Test func flushesOfManyThreadsAllSucceedOnAGoodFile() throws {
    let image = try TestImage(.folder, size: 65_536)
    let file = DiskFile(try DiskImage(path: image.path, isReadOnly: false), nil)
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
