/// How large the devices' queues are, in descriptors: with ``BlockSegment`` it bounds what a driver can have in use.
public enum QueueSize {
  /// The entropy device's.
  public static let entropy: UInt16 = 64
  /// Each queue of the console device.
  public static let console: UInt16 = 64
  /// Those of a network device that carry packets.
  public static let network: UInt16 = 256
  /// Each queue of a block device, where its owner does not say otherwise.
  public static let block: UInt16 = 128
  /// The memory device's. Linux 6.12 has one request under way at a time.
  public static let memory: UInt16 = 16
  /// Each queue of the IOMMU device. Linux 6.12 puts a request into two descriptors, and waits when there are no more.
  public static let iommu: UInt16 = 128
  /// The SCMI device's queue of commands. Linux 6.12 has half as many under way at once as there are descriptors.
  public static let scmiCommand: UInt16 = 128
  /// The SCMI device's queue of events.
  public static let scmiEvent: UInt16 = 64
}

/// The largest segment of a block request.
public enum BlockSegment {
  /// What the device states (size_max), in bytes: a page of the kernels with the largest ones, which refuse less.
  ///
  /// Without it Linux puts up to 256 KiB into a segment, and a queue could have 32 MiB in use, which the devices'
  /// window would have to have room for.
  public static let maximum: UInt32 = 64 << 10
}
