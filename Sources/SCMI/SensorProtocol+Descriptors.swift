/// Entries of lists that have fields of their own.
extension SensorProtocol {
  /// A sensor in the reply to SENSOR_DESCRIPTION_GET.
  package struct Descriptor: MessageFields {
    /// The sensor's identifier.
    package var sensor: UInt32 = 0
    /// What it can do, and how many trip points it has.
    package var low: LowAttributes = []
    /// Type, unit and number of axes.
    package var high = HighAttributes(rawValue: 0)
    /// At most 15 bytes; ``LowAttributes/extendedName`` tells of a longer one.
    package var name = ""
    /// In microwatts.
    package var power: UInt32?
    /// Missing before 2.0, and where a sensor has axes.
    package var range: Range?

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("sensor_id", &sensor)
      fields.flags("attributes_low", &low)
      fields.flags("attributes_high", &high)
      fields.text("name", &name, size: MessageFieldSize.shortName)
      fields.optional("power", &power)
      range?.visit(&fields)
    }
  }

  /// An axis in the reply to SENSOR_AXIS_DESCRIPTION_GET.
  package struct AxisDescriptor: MessageFields {
    /// The axis's place in its sensor, from 0.
    package var axis: UInt32 = 0
    /// What follows the name.
    package var low: AxisAttributes = []
    /// Type and unit.
    package var high = HighAttributes(rawValue: 0)
    /// At most 15 bytes; ``AxisAttributes/extendedName`` tells of a longer one.
    package var name = ""
    /// Missing where the axis has none.
    package var range: Range?

    package init() {}

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("axis_id", &axis)
      fields.flags("attributes_low", &low)
      fields.flags("attributes_high", &high)
      fields.text("name", &name, size: MessageFieldSize.shortName)
      range?.visit(&fields)
    }
  }

  /// What a sensor or an axis can read, at the end of its descriptor.
  package struct Range: MessageFields {
    /// Exponent 31:27, number 26:0.
    package var resolution: UInt32 = 0
    /// The lowest value, in the unit of the descriptor.
    package var minimum = Int64.min
    /// The highest value, in the unit of the descriptor.
    package var maximum = Int64.max

    private static var numberMask: UInt32 { 1 << 27 - 1 }

    package init() {}

    init(_ range: ValueRange?) {
      guard let range else { return }
      resolution = range.resolution & Self.numberMask | exponentField(range.resolutionExponent) << 27
      minimum = range.minimum
      maximum = range.maximum
    }

    package mutating func visit(_ fields: inout some FieldVisitor) {
      fields.word("resolution", &resolution, .hexadecimal)
      fields.signedWide("min_range", &minimum)
      fields.signedWide("max_range", &maximum)
    }
  }
}
