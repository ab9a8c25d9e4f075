extension Control {
  /// Writes the machine into a directory, from which others go on.
  public enum Snapshot: ControlMethod {
    public static let name = "snapshot"
    public static let summary = """
      Writes the whole machine into a directory, from which machines go on later. One that runs is paused for a moment \
      and goes on; the answer comes when the directory is complete.
      """

    public struct Parameters: ControlRecord {
      /// The directory, which must not be there yet; a path that is not absolute is seen from the machine's process.
      public var directory = ""
      /// The directory of a snapshot of this machine's: only what has changed since then is written.
      public var differential: String?
      /// Whether a snapshot that is there already is replaced.
      public var replace: Bool?
      /// Whether the machine keeps a log of what changes from now on, so that a differential may follow.
      public var log: Bool?
      /// Whether a checksum of each disk is kept, and not its size and times alone.
      public var checksums: Bool?

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field(
          "directory",
          &directory,
          "The new directory; a path that is not absolute is seen from the machine's process."
        )
        try fields.field(
          "differential",
          &differential,
          "The directory of the machine's latest snapshot: only what has changed since then is written."
        )
        try fields.field("replace", &replace, "Whether a snapshot that is there already is replaced; false by default.")
        try fields.field(
          "log",
          &log,
          "Whether the machine logs what changes from now on, so that a differential may follow; false by default."
        )
        try fields.field(
          "checksums",
          &checksums,
          "Whether a checksum of each disk is kept, and not its size and times alone; false by default."
        )
      }
    }

    public struct Answer: ControlRecord {
      /// Where it is, as it was given.
      public var directory = ""
      /// By which other snapshots know this one.
      public var identifier = ""
      /// Bytes on disk.
      public var size: UInt64 = 0
      /// How long the guest stood still for it, in nanoseconds; 0 where it was paused anyway.
      public var paused: UInt64 = 0
      /// How long it took in all, in nanoseconds.
      public var duration: UInt64 = 0

      public init() {}

      public mutating func visit(_ fields: inout ControlFields) throws(ControlError) {
        try fields.field("directory", &directory, "The directory.")
        try fields.field("identifier", &identifier, "By which other snapshots know this one.")
        try fields.field("size", &size, "Bytes on disk.")
        try fields.field(
          "paused",
          &paused,
          "Nanoseconds for which the guest stood still; 0 where it was paused anyway."
        )
        try fields.field("duration", &duration, "Nanoseconds that it took in all.")
      }
    }
  }
}
