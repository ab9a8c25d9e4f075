// The fields of the state's parts, by the names of their coded form.

extension SCMIPlatform.State: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("version", &version)
    try fields("now", &now)
    try fields("agents", &agents)
    try fields("protocols", &protocols)
    try fields("views", &views)
    try fields("holders", &holders)
    try fields("base", &base)
    try fields("powerDomain", &powerDomain)
    try fields("systemPower", &systemPower)
    try fields("performance", &performance)
    try fields("clock", &clock)
    try fields("sensor", &sensor)
    try fields("reset", &reset)
    try fields("voltage", &voltage)
    try fields("powercap", &powercap)
    try fields("pinControl", &pinControl)
    try fields("vendors", &vendors)
    try fields("timers", &timers)
    try fields("timerOrder", &timerOrder)
    try fields("recurrences", &recurrences)
    try fields("storms", &storms)
    try fields("stormNumber", &stormNumber)
    try fields("missedSamples", &missedSamples)
    try fields("outgoing", &outgoing)
    try fields("events", &events)
    try fields("rules", &rules)
    try fields("ruleNames", &ruleNames)
    try fields("transcriptSequence", &transcriptSequence)
  }

  public init(from decoder: any Decoder) throws { try self.init(reading: decoder) }
  public func encode(to encoder: any Encoder) throws { try write(to: encoder) }
}

// MARK: - Agents

extension AgentState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("events", &events)
    try fields("outstandingResponses", &outstandingResponses)
    try fields("credit", &credit)
    try fields("creditTime", &creditTime)
    try fields("queued", &queued)
    try fields("scheduled", &scheduled)
    try fields("dropped", &dropped)
    try fields("held", &held)
  }
}

extension ProtocolAccess: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("isPresent", &isPresent)
    try fields("version", &version)
    try fields("advertised", &advertised)
    try fields("implemented", &implemented)
    try fields("denied", &denied)
  }
}

extension View: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("grants", &grants)
  }
}

extension Grant: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("resource", &resource)
    try fields("access", &access)
    try fields("configured", &configured)
    try fields("notifications", &notifications)
    try fields("votes", &votes)
    try fields("value", &value)
    try fields("lower", &lower)
    try fields("upper", &upper)
    try fields("minimum", &minimum)
    try fields("maximum", &maximum)
  }
}

extension Holder: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("agent", &agent)
    try fields("identifier", &identifier)
  }
}

// MARK: - Protocols

extension BaseState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("notifies", &notifies)
  }
}

extension PowerDomainState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("domains", &domains)
  }
}

extension SystemPowerState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("notifies", &notifies)
    try fields("states", &states)
  }
}

extension PerformanceState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("domains", &domains)
  }
}

extension PerformanceState.Domain: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("level", &level)
    try fields("minimum", &minimum)
    try fields("maximum", &maximum)
  }
}

extension ClockState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("clocks", &clocks)
    try fields("extendedConfigurations", &extendedConfigurations)
  }
}

extension ClockState.Clock: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("rate", &rate)
    try fields("enabled", &enabled)
    try fields("parent", &parent)
    try fields("dutyCycle", &dutyCycle)
    try fields("phase", &phase)
  }
}

extension SensorState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("sensors", &sensors)
    try fields("tripPoints", &tripPoints)
  }
}

extension SensorState.Sensor: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("configuration", &configuration)
    try fields("values", &values)
    try fields("lastValue", &lastValue)
    try fields("isSampled", &isSampled)
  }
}

extension SensorState.TripPoint: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("mode", &mode)
    try fields("value", &value)
  }
}

extension ResetState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("domains", &domains)
  }
}

extension ResetState.Domain: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("asserted", &asserted)
    try fields("count", &count)
  }
}

extension VoltageState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("domains", &domains)
  }
}

extension VoltageState.Domain: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("level", &level)
    try fields("isOn", &isOn)
  }
}

extension PowercapState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("domains", &domains)
    try fields("thresholds", &thresholds)
  }
}

extension PowercapState.Domain: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("cap", &cap)
    try fields("averagingInterval", &averagingInterval)
    try fields("power", &power)
    try fields("lastPower", &lastPower)
    try fields("isSampled", &isSampled)
  }
}

extension PowercapState.Thresholds: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("low", &low)
    try fields("high", &high)
  }
}

extension PinControlState: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("pins", &pins)
    try fields("groups", &groups)
  }
}

extension PinControlState.Setting: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("type", &type)
    try fields("value", &value)
  }
}

extension PinControlState.Element: StateFields {
  mutating func visit(_ fields: inout StateVisitor) throws {
    try fields("owner", &owner)
    try fields("function", &function)
    try fields("settings", &settings)
  }
}
