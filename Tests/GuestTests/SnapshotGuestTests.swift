import Apus
import ApusTesting
import TestSupport
import Testing

@Suite("Snapshots of Linux", .requiresKVM, .ownThread)
struct SnapshotGuestTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test("taken while all vCPUs wait for an interrupt, goes on with the next one's input and timers")
  func idle() async throws {
    let frozen = try await FrozenShell.shared

    let lines = try await frozen.withMachine { guest, shell in
      // Nothing has anything to do by then.
      try await Task.sleep(for: .milliseconds(100))
      let summary = try await guest.machine.snapshot(to: folder.path("idle"))
      let next = try DrivenMachine.restored(MachineSnapshot(summary.directory))
      return try await next.ended { try await $0.run("sleep 0.2; nproc") }
    }

    #expect(lines == ["2"])
  }

  @Test("taken while a vCPU is off, it is off, and can be switched on")
  func processorOff() async throws {
    let frozen = try await FrozenShell.shared

    let (before, after) = try await frozen.withMachine { guest, shell in
      try await shell.run("echo 0 >/sys/devices/system/cpu/cpu1/online")
      let summary = try await guest.machine.snapshot(to: folder.path("off"))
      let next = try DrivenMachine.restored(MachineSnapshot(summary.directory))
      return try await next.ended { shell in
        let before = try await shell.run("cat /sys/devices/system/cpu/online")
        try await shell.run("echo 1 >/sys/devices/system/cpu/cpu1/online")
        return (before, try await shell.run("cat /sys/devices/system/cpu/online; taskset 2 echo there"))
      }
    }

    #expect(before == ["0"])
    #expect(after == ["0-1", "there"])
  }

  @Test("taken while the guest reboots, there is one that a machine goes on from, or none, and the guest is back")
  func reboot() async throws {
    let frozen = try await FrozenShell.shared

    try await frozen.withMachine { guest, _ in
      guest.console.send("reboot -f\n")
      for number in 0..<3 {
        let directory = folder.path("reboot-\(number)")
        let summary: SnapshotSummary
        do {
          summary = try await guest.machine.snapshot(to: directory)
        } catch {
          print(error)
          #expect(throws: SnapshotRefusal.self) { try MachineSnapshot(directory) }
          continue
        }
        let next = try DrivenMachine.restored(MachineSnapshot(summary.directory))
        try await next.ended { _ in
          // Where the guest was at its prompt already, that is written once more.
          next.console.send("\n")
          let shell = try await GuestShell(next.console)
          #expect(try await shell.run("nproc") == ["2"])
        }
        try await Task.sleep(for: .milliseconds(20))
      }
      let shell = try await GuestShell(guest.console)
      #expect(try await shell.run("nproc") == ["2"])
    }
  }

  @Test("a reset in the middle leaves a machine that runs, with a snapshot of its next boot or none")
  func resetInTheMiddle() async throws {
    let frozen = try await FrozenShell.shared

    try await frozen.withMachine { guest, _ in
      for number in 0..<6 {
        async let taken = guest.machine.snapshot(to: folder.path("reset-\(number)"))
        try await Task.sleep(for: .milliseconds(15 * number))
        await withCheckedContinuation { continuation in guest.machine.reset { _ in continuation.resume() } }
        do { _ = try await taken } catch { print(error) }
        #expect(await guest.machine.inspect()?.state == .running)
      }
    }
  }

  @Test("taken twice in one pause, the guest stays paused and both say the same")
  func twiceInOnePause() async throws {
    let frozen = try await FrozenShell.shared

    let (first, second) = try await frozen.withMachine { guest, shell in
      #expect(await guest.machine.pause())
      var options = SnapshotOptions()
      options.logsChanges = true
      let first = try await guest.machine.snapshot(to: folder.path("first"), options)
      options.base = first.directory
      let second = try await guest.machine.snapshot(to: folder.path("second"), options)
      #expect(await guest.machine.inspect()?.state == .paused)
      #expect(await guest.machine.resume())
      #expect(try await shell.run("echo here") == ["here"])
      return (first, second)
    }

    #expect(first.pausedTime == 0 && second.pausedTime == 0)
    // What is no page of RAM.
    #expect(second.size < 512 << 10, "\(second)")
    for part in ["configuration.state", "devices.state"] {
      let state = try #require(folder.read("first/\(part)"))
      #expect(folder.read("second/\(part)") == state, "\(part)")
    }
    let next = try DrivenMachine.restored(MachineSnapshot(second.directory))
    #expect(try await next.ended { try await $0.run("echo there") } == ["there"])
  }

  @Test("clones of one run side by side, each with random numbers and an identity of its own")
  func clones() async throws {
    let frozen = try await FrozenShell.shared

    var numbers: Set<[String]> = []
    var identities: Set<String> = []
    try await frozen.withMachine { _, shell in
      let has = try await shell.run("[ -e /sys/bus/platform/drivers/vmgenid ] && echo yes")
      #expect(has == ["yes"], "the guest's kernel has no CONFIG_VMGENID")
      var options = MachineSnapshot.Options()
      options.isClone = true
      let clones = try (0..<3).map { _ in try DrivenMachine.restored(frozen.snapshot, options) }
      for clone in clones {
        numbers.insert(try await clone.ended { try await $0.run("head -c 16 /dev/urandom | xxd -p") })
        identities.insert(try #require(await clone.machine.report.machine?.uuid))
      }
    }

    #expect(numbers.count == 3)
    #expect(identities.count == 3)
  }

  @Test("a machine that goes on from one reports what it did itself")
  func report() async throws {
    let frozen = try await FrozenShell.shared

    let guest = try await frozen.withMachine { guest, shell in
      try await shell.run("dd if=/dev/hwrng of=/dev/null bs=512 count=1 2>/dev/null")
      return guest
    }

    let report = await guest.machine.report
    let entropy = try #require(report.devices.first)
    #expect(report.outcome == "stopped")
    #expect(report.boots == 1)
    #expect(report.machine?.cpus == 2)
    #expect(entropy.kicks > 0 && entropy.faults == 0 && entropy.refusedAccesses == 0)
  }

  @Test("another number of vCPUs, memory, interrupt controller and devices are all refused at once")
  func otherMachine() async throws {
    let snapshot = try await FrozenShell.shared.snapshot
    var configuration = snapshot.configuration
    configuration.cpuCount = 3
    configuration.memorySize *= 2
    configuration.gic = configuration.gic == .v3 ? .v2 : .v3
    configuration.devices = []

    let error = try #require(throws: ConfigurationError.self) { try Machine(restoring: snapshot, configuration) }

    let paths = error.problems.map(\.path)
    #expect(paths == [.property(.cpuCount), .property(.memorySize), .property(.gic), .property(.devices)])
  }
}

@Suite("Disks of snapshots", .requiresKVM, .ownThread)
struct SnapshotDiskTests {
  /// A guest that has a disk for itself, in which nobody writes.
  private static func withSnapshot(
    _ body: (DrivenMachine, DiskImage, MachineSnapshot) async throws -> Void
  ) async throws {
    let disk = try DiskImage(mebibytes: 1)
    let folder = try TemporaryFolder()
    var configuration = try LinuxGuest.configuration("idle")
    configuration.devices = [.init(.block(.init(path: disk.path)))]
    try await MachineSlots.shared.withSlot(.init(configuration)) {
      let guest = try DrivenMachine(Machine(configuration))
      try await guest.ended { _ in
        let summary = try await guest.machine.snapshot(to: folder.path("frozen"))
        try await body(guest, disk, MachineSnapshot(summary.directory))
      }
    }
  }

  private static func refusal(_ snapshot: MachineSnapshot) async throws -> String {
    do {
      let guest = try DrivenMachine.restored(snapshot)
      // What is refused has ended by then.
      try await guest.ended { _ in _ = await guest.machine.inspect() }
      return await guest.machine.outcome.message
    } catch let error as ConfigurationError {
      return "\(error)"
    }
  }

  @Test("a disk that the guest may write is refused while the first machine has it, and taken behind its end")
  func inUse() async throws {
    try await Self.withSnapshot { guest, disk, snapshot in
      let refused = try #require(throws: ConfigurationError.self) { try DrivenMachine.restored(snapshot) }
      guest.machine.stop()
      _ = await guest.machine.outcome
      let next = try DrivenMachine.restored(snapshot)
      let isThere = await next.machine.inspect() != nil
      next.machine.stop()

      #expect("\(refused)".contains(disk.path))
      #expect(isThere)
      #expect(await next.machine.outcome.end == .stopped)
    }
  }

  @Test("a disk that was changed is refused by name, and taken where others may do")
  func changed() async throws {
    try await Self.withSnapshot { guest, disk, snapshot in
      guest.machine.stop()
      _ = await guest.machine.outcome
      try disk.change()
      let refusal = try await Self.refusal(snapshot)
      var options = MachineSnapshot.Options()
      options.acceptsOtherDisks = true
      let next = try DrivenMachine.restored(snapshot, options)
      let isThere = await next.machine.inspect() != nil
      next.machine.stop()

      #expect(refusal.contains(disk.path) && refusal.contains("was changed since the snapshot"), "\(refusal)")
      #expect(isThere)
    }
  }

  @Test("a disk that is gone is refused by name")
  func gone() async throws {
    try await Self.withSnapshot { guest, disk, snapshot in
      guest.machine.stop()
      _ = await guest.machine.outcome
      disk.remove()

      let refusal = try await Self.refusal(snapshot)

      #expect(refusal.contains(disk.path), "\(refusal)")
    }
  }
}
