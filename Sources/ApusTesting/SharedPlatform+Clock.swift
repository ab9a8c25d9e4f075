public import SCMI
internal import SCMIFile

extension SharedPlatform {
  /// A platform with the host's clock, which begins now.
  ///
  /// - Parameter definition: what it is made of.
  /// - Throws: `DefinitionErrors` with every mistake.
  public convenience init(startingNow definition: PlatformDefinition) throws {
    let start = ContinuousClock.now
    self.init(try SCMIPlatform(definition)) { UInt64((ContinuousClock.now - start) / .nanoseconds(1)) }
  }
}
