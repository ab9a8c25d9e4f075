extension Control {
  /// Puts a network card's link up or down.
  public enum NetworkLink: ControlMethod {
    public static let name = "network.link"
    public static let summary =
      "Puts the link of a network card up or down, as pulling its cable does; its driver is told."

    public struct Parameters: ControlRecord {
      /// The card, such as network0.
      public var device = ""
      /// Whether packets pass.
      public var up = true

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("device", &device, "The card, such as network0.")
        try fields.field("up", &up, "Whether packets pass.")
      }
    }
  }

  /// What a disk has now.
  public struct DiskAnswer: ControlRecord {
    /// Bytes that the disk has now.
    public var size: UInt64 = 0

    public init() {}

    public init(size: UInt64) {
      self.size = size
    }

    public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
      try fields.field("size", &size, "Bytes that the disk has now.")
    }
  }

  /// Lets a disk grow.
  public enum DiskResize: ControlMethod {
    public typealias Answer = DiskAnswer
    public static let name = "disk.resize"
    public static let summary = "Lets a disk's image grow, or takes notice that it has grown; its driver is told."

    public struct Parameters: ControlRecord {
      /// The disk, such as block0.
      public var device = ""
      /// Bytes, a multiple of 512 and no less than now; without it the image's present size.
      public var size: UInt64?

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("device", &device, "The disk, such as block0.")
        try fields.field(
          "size",
          &size,
          "Bytes, a multiple of 512 and no less than now; without it the image's present size."
        )
      }
    }
  }

  /// Changes the image of a disk.
  public enum DiskChange: ControlMethod {
    public typealias Answer = DiskAnswer
    public static let name = "disk.change"
    public static let summary = """
      Puts another image behind a disk that the guest may only read; its driver is told of the size. What the guest has \
      cached of the old one stays there until the guest forgets it.
      """

    public struct Parameters: ControlRecord {
      /// The disk, such as block0.
      public var device = ""
      /// The image; a path that is not absolute is seen from the machine's process.
      public var path = ""

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("device", &device, "The disk, such as block0.")
        try fields.field("path", &path, "The image; a path that is not absolute is seen from the machine's process.")
      }
    }
  }
}
