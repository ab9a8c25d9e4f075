import CHost
import CSnapshot
import Glibc
import Snapshot
import TestSupport
import Testing

@Suite struct SnapshotChildTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func aChildWritesTheMemoryAsItWasWhenItWasStarted() throws {
    let memory = TestMemory(pages: 3000)
    for page in stride(from: 0, to: 3000, by: 3) { memory.fill(page, 7) }
    let before = memory.bytes
    let path = folder.path("snapshot")
    let writer = try SnapshotWriter(path)
    let image = try writer.addMemory(testRegion(memory), .all(base: memory.address))

    let child = try MemoryChild(writing: [image])
    for page in 0..<3000 { memory.fill(page, 8) }
    try writer.addPart("test", [1])
    try child.end()
    try writer.commit(testManifest())

    let copy = TestMemory(pages: 3000)
    try copy.read(#require(SnapshotChain(path).memory("ram")))
    #expect(copy.bytes == before)
  }

  @Test func aChildWritesSeveralRegions() throws {
    let memories = (1...3).map { _ in TestMemory(pages: 600) }
    let writer = try SnapshotWriter(folder.path("snapshot"))
    var images: [MemoryImage] = []
    for (number, memory) in memories.enumerated() {
      memory.fill(number, UInt8(number + 1))
      var region = testRegion(memory, "part\(number)")
      region.start += UInt64(number) << 32
      images.append(try writer.addMemory(region, .all(base: memory.address)))
    }

    try MemoryChild(writing: images).end()
    try writer.commit(testManifest())

    let chain = try SnapshotChain(folder.path("snapshot"))
    for (number, memory) in memories.enumerated() {
      let copy = TestMemory(pages: 600)
      try copy.read(#require(chain.memory("part\(number)")))
      #expect(copy.bytes == memory.bytes)
    }
  }

  @Test func aChildsDescriptorCanBeReadWhenItHasEnded() throws {
    let memory = TestMemory(pages: 10)
    let writer = try SnapshotWriter(folder.path("snapshot"))
    let child = try MemoryChild(writing: [writer.addMemory(testRegion(memory), .all(base: memory.address))])

    #expect(chost_wait(child.descriptor, Int16(POLLIN), 20_000))
    try child.end()
  }

  @Test func aChildThatIsKilledIsToldAndLeavesNothing() throws {
    let memory = TestMemory(pages: 20_000)
    for page in 0..<20_000 { memory.fill(page, 1) }
    do {
      let writer = try SnapshotWriter(folder.path("snapshot"))
      let child = try MemoryChild(writing: [writer.addMemory(testRegion(memory), .all(base: memory.address))])
      child.cancel()

      #expect(throws: SnapshotError.writerEnded) { try child.end() }
    }
    #expect(try folder.names.isEmpty)
  }

  @Test func aChildHasNoOtherDescriptors() throws {
    var ends: [Int32] = [0, 0]
    // SAFETY: the array has room for both.
    #expect(unsafe pipe(&ends) == 0)
    let memory = TestMemory(pages: 40_000)
    for page in stride(from: 0, to: 40_000, by: 8) { memory.fill(page, 1) }
    let writer = try SnapshotWriter(folder.path("snapshot"))
    let child = try MemoryChild(writing: [writer.addMemory(testRegion(memory), .all(base: memory.address))])
    defer { try? child.end() }

    close(ends[1])

    // Its end comes with the last writer's, while the child writes 20 MB.
    var byte: UInt8 = 0
    // SAFETY: the variable holds for the call.
    #expect(unsafe read(ends[0], &byte, 1) == 0)
    close(ends[0])
  }

  /// A file that may not be written stands for a file system that is full, which takes a mount to have.
  @Test func whatAChildCannotWriteIsTold() throws {
    let memory = TestMemory(pages: 10)
    memory.fill(3, 1)
    var attempt: UnsafePointer<CChar>?
    // SAFETY: the name holds for the call, whose memory can't grow to what is to be written.
    let file = unsafe chost_sealed_memory("test", TestMemory.pageSize, &attempt)
    // SAFETY: the structure lives until the end of the test, and is freed once.
    guard let image = unsafe csnapshot_image_make(memory.size, UInt32(TestMemory.pageSize)) else { return }
    defer { unsafe csnapshot_image_free(image) }
    unsafe image.pointee.base = UnsafePointer(memory.base.assumingMemoryBound(to: UInt8.self))
    unsafe image.pointee.file = file

    var process: Int32 = 0
    var images = unsafe [image]
    let descriptor = unsafe csnapshot_images_write_in_child(&images, 1, &process)

    #expect(csnapshot_child_end(descriptor, process) == 0)
    #expect(unsafe image.pointee.error == -EPERM)
    close(file)
  }

  @Test func bothWaysOfChecksumsAgree() {
    var random = SplitMix64(seed: 3)
    for count in [0, 1, 7, 8, 9, 63, 64, 65, 4096, 5001] {
      let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
      // SAFETY: the buffer holds for the calls and its size goes along.
      unsafe bytes.withUnsafeBytes { buffer in
        let quick = unsafe csnapshot_crc32c(5, buffer.baseAddress, count)
        #expect(unsafe quick == csnapshot_crc32c_by_table(5, buffer.baseAddress, count))
      }
    }
    let text = Array("123456789".utf8)
    // SAFETY: as above.
    #expect(unsafe text.withUnsafeBytes { unsafe csnapshot_crc32c(0, $0.baseAddress, $0.count) } == 0xE306_9283)
  }
}
