/// The values that a resource can be set to.
package enum ResourceValues {
  /// These and no others.
  case list([Int64])
  /// From the lowest by steps to the highest; what is between two steps is none.
  case range(minimum: Int64, maximum: Int64, step: Int64)

  /// A range that ends before it begins, of a resource that may be invalid.
  package var isInvalid: Bool {
    switch self {
    case .list(let values): values.isEmpty
    case .range(let minimum, let maximum, let step): minimum > maximum || step <= 0
    }
  }

  /// Whether the resource can be set to exactly this.
  package func contains(_ value: Int64) -> Bool {
    switch self {
    case .list(let values): values.contains(value)
    case .range(let minimum, let maximum, let step):
      value >= minimum && value <= maximum && step > 0 && (value - minimum) % step == 0
    }
  }

  /// Whether a value lies within bounds.
  package func hasOne(from lower: Int64, to upper: Int64) -> Bool { bounds(from: lower, to: upper) != nil }

  /// The lowest and the highest value within bounds.
  package func bounds(from lower: Int64, to upper: Int64) -> ClosedRange<Int64>? {
    switch self {
    case .list(let values):
      let allowed = values.filter { $0 >= lower && $0 <= upper }
      guard let lowest = allowed.min(), let highest = allowed.max() else { return nil }
      return lowest...highest
    case .range(let minimum, let maximum, let step):
      guard step > 0, minimum <= maximum, lower <= maximum, upper >= minimum else { return nil }
      // Differences of 32-bit or of positive numbers: they fit. The maximum can be reached though it is on no step.
      let behind = max(lower, minimum) - minimum
      let below = minimum + behind / step * step
      let first = behind % step == 0 ? below : maximum - below >= step ? below + step : maximum
      let last = upper >= maximum ? maximum : minimum + (upper - minimum) / step * step
      return first <= last ? first...last : nil
    }
  }

  /// As messages tell it to people.
  package var text: String {
    switch self {
    case .list(let values):
      values.count <= 8
        ? "one of " + values.map(String.init).joined(separator: ", ") : "one of its \(values.count) values"
    case .range(let minimum, let maximum, let step): "\(minimum) to \(maximum) in steps of \(step)"
    }
  }
}

extension PlatformDefinition {
  /// What a resource can be set to, by its place in its kind's list; `nil` where its kind has no values.
  package func values(_ kind: ResourceKind, at place: Int) -> ResourceValues? {
    switch kind {
    case .clock:
      switch clocks[place].rates {
      case .list(let rates): .list(rates.map { Int64(clamping: $0) })
      case .range(let minimum, let maximum, let step):
        .range(minimum: Int64(clamping: minimum), maximum: Int64(clamping: maximum), step: Int64(clamping: step))
      }
    case .performanceDomain: .list(performanceDomains[place].operatingPoints.map { Int64($0.level) })
    case .voltageDomain:
      switch regulators[place].levels {
      case .list(let levels): .list(levels.map(Int64.init))
      case .range(let minimum, let maximum, let step):
        .range(minimum: Int64(minimum), maximum: Int64(maximum), step: Int64(step))
      }
    case .powercapDomain:
      .range(
        minimum: Int64(powercaps[place].minimumCap),
        maximum: Int64(powercaps[place].maximumCap),
        step: Int64(powercaps[place].capStep)
      )
    case .powerDomain, .sensor, .resetDomain, .pin, .group, .function: nil
    }
  }

  /// The lowest and the highest value within bounds that a resource can be set to; `nil` where there is none.
  public func settableBounds(_ name: ResourceName, within bounds: ClosedRange<Int64>) -> ClosedRange<Int64>? {
    guard let place = names(name.kind).firstIndex(of: name.name) else { return nil }
    return values(name.kind, at: place)?.bounds(from: bounds.lowerBound, to: bounds.upperBound)
  }
}
