public import SCMI

/// What a test wants of a platform that guests are on: its resources by their names, and its rules.
extension SharedPlatform {
  /// What holds now of a resource.
  ///
  /// - Returns: Hz, level, microvolts, power state, power cap, asserted (0 or 1), or a sensor's first reading; nil
  ///   where there is no such resource, or its kind has no value.
  public func value(_ kind: ResourceKind, _ name: String) -> Int64? {
    change { platform, _ in platform.value(ResourceName(kind, name)) }
  }

  /// Whether a clock or a regulator is on; nil for other kinds, and where there is none of that name.
  public func isEnabled(_ kind: ResourceKind, _ name: String) -> Bool? {
    change { platform, _ in platform.isEnabled(ResourceName(kind, name)) }
  }

  /// What each agent that has the resource has asked for, which is not always what holds; empty where there is no such
  /// resource.
  public func votes(_ kind: ResourceKind, _ name: String) -> [SCMIPlatform.Vote] {
    change { platform, _ in platform.votes(for: ResourceName(kind, name)) } ?? []
  }

  /// The platform changes a resource by itself, whatever the votes are; those who listen are told.
  ///
  /// - Parameters:
  ///   - kind: of a resource that has a value.
  ///   - name: the resource's.
  ///   - value: Hz, level, microvolts, power state, power cap, a sensor's reading, or 1 for a reset domain that is put
  ///     into reset and 0 for one that is taken out of it.
  /// - Returns: false where there is no such resource, or it cannot have the value.
  @discardableResult
  public func set(_ kind: ResourceKind, _ name: String, to value: Int64) -> Bool {
    change { platform, now in platform.setValue(ResourceName(kind, name), value, at: now) }
  }

  /// Has the platform be wrong from now on, behind the rules that it has.
  ///
  /// - Returns: false where the rule names an agent or a resource that does not exist.
  @discardableResult
  public func addRule(_ rule: MisbehaviourRule) -> Bool {
    change { platform, _ in platform.addRule(rule) }
  }

  /// Ends the misbehaviour of every rule of that name.
  public func removeRules(named name: String) {
    change { platform, _ in platform.removeRules(named: name) }
  }
}
