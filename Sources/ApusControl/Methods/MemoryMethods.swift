extension Control {
  /// A hot-plug memory.
  public struct MemoryRegion: ControlRecord {
    /// By which it is asked for.
    public var name = ""
    /// Bytes that it can have at most.
    public var size: UInt64 = 0
    /// Bytes of one block; each size is a multiple.
    public var block: UInt64 = 0
    /// Bytes that it is to have: the guest follows as far as it can.
    public var requested: UInt64 = 0
    /// Bytes that it has.
    public var plugged: UInt64 = 0

    public init() {}

    public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("name", &name, "Its name.")
      try fields.field("size", &size, "Bytes that it can have at most.")
      try fields.field("block", &block, "Bytes of one block; each size is a multiple.")
      try fields.field("requested", &requested, "Bytes that it is to have: the guest follows as far as it can.")
      try fields.field("plugged", &plugged, "Bytes that it has.")
    }
  }

  /// All hot-plug memories.
  public enum Memory: ControlMethod {
    public static let name = "memory"
    public static let summary = "The hot-plug memories, with what each has and is to have."

    public struct Answer: ControlRecord {
      /// The hot-plug memories.
      public var regions: [MemoryRegion] = []

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("regions", &regions, "The hot-plug memories.")
      }
    }
  }

  /// Changes the size that a hot-plug memory is to have.
  public enum MemoryResize: ControlMethod {
    public typealias Answer = MemoryRegion
    public static let name = "memory.resize"
    public static let summary = """
      Changes the size that a hot-plug memory is to have. The guest follows as far as it can, in its own time: what it \
      does not give up stays a request. Events tell how far it is.
      """

    public struct Parameters: ControlRecord {
      /// Which hot-plug memory; not needed where there is one only.
      public var name: String?
      /// Bytes, a multiple of the block.
      public var size: UInt64 = 0

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("name", &name, "Which hot-plug memory; not needed where there is one only.")
        try fields.field("size", &size, "Bytes, a multiple of the block.")
      }
    }
  }
}
