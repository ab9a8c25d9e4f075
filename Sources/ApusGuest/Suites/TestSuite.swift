package import Apus
package import ApusHarness

/// One guest's kind: an entry of the matrix.
package struct TestMachine: Sendable {
  /// `cpus=4,gic=3`, or nothing where there is no matrix.
  package let name: String
  /// What its guests are made from.
  package let configuration: Configuration

  /// A machine of a matrix.
  package init(name: String, configuration: Configuration) {
    (self.name, self.configuration) = (name, configuration)
  }
}

/// One thing to run in a guest.
package struct TestItem: Sendable {
  /// What reports call it.
  package let name: String
  /// Its place among the suite's machines.
  package let machine: Int
  /// What is done for it.
  package let kind: Kind

  /// What a guest does for a test.
  package enum Kind: Sendable {
    /// The guest's own init tests, and ends the machine.
    case guest
    /// The modules of the suite are loaded and report in the kernel's log.
    case modules
    /// A program in the guest.
    case program(TestTree.Program)
  }

  /// A test on a machine.
  package init(name: String, machine: Int, kind: Kind) {
    (self.name, self.machine, self.kind) = (name, machine, kind)
  }
}

/// What is to be run, on which machines and how, checked whole.
package struct TestSuite: Sendable {
  /// The machines of the matrix.
  package let machines: [TestMachine]
  /// What this process runs.
  package let items: [TestItem]
  /// Which part of the whole that is; nil where it is all.
  package let shard: ShardRecord?
  /// What guests get besides their initramfs, with the modules that are loaded before all tests.
  package let tree: TestTree
  /// How long each test may take, its guest's start included.
  package let timeout: Duration
  /// How often a test that failed is tried again.
  package let retries: Int
  /// Whether each test has a new guest.
  package let isFresh: Bool
  /// Which of the kernel's complaints fail a test.
  package let failOn: KernelLogLimit
  /// What guests go on from in place of a boot, or nil.
  package let snapshot: MachineSnapshot?

  /// A suite of these parts.
  package init(
    machines: [TestMachine],
    items: [TestItem],
    shard: ShardRecord?,
    tree: TestTree,
    timeout: Duration,
    retries: Int,
    isFresh: Bool,
    failOn: KernelLogLimit,
    snapshot: MachineSnapshot? = nil
  ) {
    self.snapshot = snapshot
    (self.machines, self.items, self.shard, self.tree) = (machines, items, shard, tree)
    (self.timeout, self.retries, self.isFresh, self.failOn) = (timeout, retries, isFresh, failOn)
  }
}
