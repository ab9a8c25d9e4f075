import Host
import TestSupport
import Testing

@Suite struct HostMemoryTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    _ = try folder.write(
      "meminfo",
      Array("MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    4096 kB\nBuffers: 1 kB\n".utf8)
    )
  }

  private var memory: HostMemory { HostMemory(processes: folder.path, controlGroups: folder.path) }

  private func write(_ path: String, _ text: String) throws {
    _ = try folder.write(path, Array(text.utf8))
  }

  @Test func thisHostHasSome() {
    #expect(HostMemory().available > 0)
  }

  @Test func theKernelsEstimateCounts() {
    #expect(memory.available == 4 << 20)
  }

  @Test func whereNothingIsToldThereIsNoLimit() {
    #expect(HostMemory(processes: "/nonexistent", controlGroups: "/nonexistent").available == .max)
  }

  @Test func theSmallestOfAllLimitsAboveTheProcessCounts() throws {
    _ = try folder.makeFolder("self")
    _ = try folder.makeFolder("user")
    _ = try folder.makeFolder("user/session one")
    try write("self/cgroup", "1:name=systemd:/x\n0::/user/session one\n")
    try write("user/memory.max", "3145728\n")
    try write("user/memory.current", "2097152\n")
    try write("user/memory.stat", "anon 1\ninactive_file 1048576\nactive_file 7\n")
    try write("user/session one/memory.max", "max\n")
    #expect(memory.available == 2 << 20)

    try write("user/session one/memory.max", "1048576\n")
    try write("user/session one/memory.current", "2097152\n")
    #expect(memory.available == 0)
  }
}
