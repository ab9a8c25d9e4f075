import ApusControl
import SCMI
internal import SCMIFile

extension MachineControl {
  /// The SCMI platform that the machine is on.
  func addSCMI(to table: inout ControlTable) {
    addSCMIReading(to: &table)
    addSCMIChanges(to: &table)
    addSCMIRules(to: &table)
    table.on(Control.PowerButton.self) { [self] _, answer in
      guard let platform = platform(answer) else { return }
      let agent = checked.platform?.agent
      let told = platform.change { platform, now in
        platform.requestSystemPower(.shutdown, graceful: true, to: agent, at: now)
      }
      guard told > 0 else {
        return answer.fail(
          .refused,
          "the guest has not asked for system power notifications: use powerOff, or a script"
        )
      }
      answer.succeed()
    }
    table.on(Control.SCMITranscriptSubscribe.self) { [self] _, answer in
      guard let platform = platform(answer) else { return }
      let listening = Listening()
      let subscription = answer.subscribe { listening.end() }
      answer.succeed(.init(subscription.number))
      let recording = platform.record { record in
        subscription.tell(Control.SCMITranscript.self, .init(record: ControlJSON(text: record.json)))
      }
      listening.begin { platform.end(recording) }
    }
  }

  /// The platform; nil where there is none, which is answered.
  private func platform<Method: ControlMethod>(_ answer: ControlAnswer<Method>) -> SharedPlatform? {
    guard let place = checked.platform else {
      answer.fail(.refused, "the machine has no SCMI platform; start it with one")
      return nil
    }
    return place.platform
  }

  /// A resource by its name; nil where there is none, which is answered.
  private func resource<Method: ControlMethod>(
    _ name: String,
    _ platform: SharedPlatform,
    _ answer: ControlAnswer<Method>
  ) -> ResourceName? {
    let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
    guard parts.count == 2, let kind = ResourceKind(name: parts[0]) else {
      let kinds = ResourceKind.allCases.map(\.name).joined(separator: ", ")
      answer.fail(
        .invalidParameters,
        "resource: '\(name)' is no kind and name, such as clocks/uart; kinds are \(kinds)"
      )
      return nil
    }
    guard platform.definition.names(kind).contains(parts[1]) else {
      answer.fail(.notFound, "resource: there is no '\(name)'; scmi.resources has them all")
      return nil
    }
    return ResourceName(kind, parts[1])
  }

  private func agent<Method: ControlMethod>(
    _ name: String,
    _ platform: SharedPlatform,
    _ answer: ControlAnswer<Method>
  ) -> Int? {
    let agents = platform.definition.agents
    guard let agent = agents.firstIndex(where: { $0.name == name }) else {
      let names = agents.map(\.name).joined(separator: ", ")
      answer.fail(.notFound, "agent: there is no '\(name)'; there are \(names)")
      return nil
    }
    return agent
  }

  private func addSCMIReading(to table: inout ControlTable) {
    table.on(Control.SCMIAgents.self) { [self] _, answer in
      guard let platform = platform(answer) else { return }
      let own = checked.platform?.agent
      let protocols = platform.change { platform, _ in
        platform.definition.agents.indices.map { platform.view(of: $0).protocols }
      }
      var result = Control.SCMIAgents.Answer()
      for (index, agent) in platform.definition.agents.enumerated() {
        var entry = Control.SCMIAgent()
        entry.name = agent.name
        entry.trusted = agent.trusted
        entry.own = index == own
        entry.protocols = protocols[index]
        result.agents.append(entry)
      }
      answer.succeed(result)
    }
    table.on(Control.SCMIResources.self) { [self] parameters, answer in
      guard let platform = platform(answer) else { return }
      var kinds = ResourceKind.allCases
      if let name = parameters.kind {
        guard let kind = ResourceKind(name: name) else {
          let names = kinds.map(\.name).joined(separator: ", ")
          return answer.fail(.invalidParameters, "kind: '\(name)' is none; give one of \(names)")
        }
        kinds = [kind]
      }
      let names = kinds.flatMap { kind in platform.definition.names(kind).map { ResourceName(kind, $0) } }
      var result = Control.SCMIResources.Answer()
      result.resources = platform.change { platform, _ in names.map { Control.SCMIResource($0, platform) } }
      answer.succeed(result)
    }
    table.on(Control.SCMIRead.self) { [self] parameters, answer in
      guard let platform = platform(answer), let name = resource(parameters.resource, platform, answer) else { return }
      var result = Control.SCMIRead.Answer()
      let agents = platform.definition.agents
      (result.resource, result.votes) = platform.change { platform, _ in
        let votes = (platform.votes(for: name) ?? []).map { Control.SCMIVote($0, agents[$0.agent].name) }
        return (Control.SCMIResource(name, platform), votes)
      }
      answer.succeed(result)
    }
  }

  private func addSCMIChanges(to table: inout ControlTable) {
    table.on(Control.SCMISet.self) { [self] parameters, answer in
      guard let platform = platform(answer), let name = resource(parameters.resource, platform, answer) else { return }
      let action = ScriptAction.set(name, parameters.value)
      if let mistake = platform.definition.mistakes(in: action).first {
        // The resource is there, but its kind may have no value.
        let parameter = mistake.path == "/set" ? "resource" : "value"
        return answer.fail(.invalidParameters, "\(parameter): \(mistake.message)")
      }
      guard perform(action, on: platform, answer) else { return }
      answer.succeed(platform.change { platform, _ in Control.SCMIResource(name, platform) })
    }
    table.on(Control.SCMIPermit.self) { [self] parameters, answer in
      guard let platform = platform(answer), let name = resource(parameters.resource, platform, answer),
        let agent = agent(parameters.agent, platform, answer)
      else { return }
      guard let access = Access(name: parameters.access) else {
        return answer.fail(.invalidParameters, "access: '\(parameters.access)' is none; give none, read or full")
      }
      _ = platform.change { $0.setAccess(access, agent: agent, resource: name, at: $1) }
      answer.succeed()
    }
    table.on(Control.SCMIVoteFor.self) { [self] parameters, answer in
      guard let platform = platform(answer), let name = resource(parameters.resource, platform, answer) else { return }
      let agents = platform.definition.agents
      guard let agentName = parameters.agent ?? agents.first(where: \.trusted)?.name else {
        return answer.fail(.invalidParameters, "agent: there is no trusted agent; say which one")
      }
      guard let agent = agent(agentName, platform, answer) else { return }
      guard parameters.value != nil || parameters.on != nil else {
        return answer.fail(.invalidParameters, "value, on: one of them has to be there")
      }
      guard !platform.isAttached(agent) else {
        return answer.fail(.refused, "agent: '\(agentName)' is a running machine: its own driver votes")
      }
      var result = Control.SCMIVoteFor.Answer()
      let status = platform.change {
        $0.vote(agent, for: name, value: parameters.value, isOn: parameters.on, at: $1)
      }
      result.status = status?.description
      answer.succeed(result)
    }
    table.on(Control.SCMIStep.self) { [self] parameters, answer in
      guard let platform = platform(answer) else { return }
      do throws(PlatformFileError) {
        let action = try ScriptAction(json: parameters.step.text, in: platform.definition)
        guard perform(action, on: platform, answer) else { return }
      } catch {
        return answer.fail(.invalidParameters, "step: \(error.withoutPositions)")
      }
      answer.succeed()
    }
  }

  private func addSCMIRules(to table: inout ControlTable) {
    table.on(Control.SCMIRules.self) { [self] _, answer in
      guard let platform = platform(answer) else { return }
      var result = Control.SCMIRules.Answer()
      result.rules = platform.change { platform, _ in
        platform.activeRules.map { active in
          var rule = Control.SCMIRule()
          rule.name = active.rule.name
          rule.matches = active.matches
          return rule
        }
      }
      answer.succeed(result)
    }
    table.on(Control.SCMIRuleAdd.self) { [self] parameters, answer in
      guard let platform = platform(answer) else { return }
      do throws(PlatformFileError) {
        let action = try ScriptAction(addingRule: parameters.rule.text, in: platform.definition)
        guard perform(action, on: platform, answer) else { return }
      } catch {
        return answer.fail(.invalidParameters, "rule: \(error.withoutPositions)")
      }
      answer.succeed()
    }
    table.on(Control.SCMIRuleRemove.self) { [self] parameters, answer in
      guard let platform = platform(answer) else { return }
      let isThere = platform.change { platform, _ in
        let isThere = platform.activeRules.contains { $0.rule.name == parameters.name }
        platform.removeRules(named: parameters.name)
        return isThere
      }
      guard isThere else {
        return answer.fail(.notFound, "name: no rule is called '\(parameters.name)'; scmi.rules has them all")
      }
      answer.succeed()
    }
  }

  /// Does what a script may do.
  ///
  /// - Returns: false where it cannot be done, which is answered.
  private func perform<Method: ControlMethod>(
    _ action: ScriptAction,
    on platform: SharedPlatform,
    _ answer: ControlAnswer<Method>
  ) -> Bool {
    let isFull = platform.change { platform, now in
      if case .addRule = action, platform.activeRules.count >= PlatformDefinition.maximumRules { return true }
      platform.perform(action, at: now)
      return false
    }
    if isFull { answer.fail(.refused, "there are \(PlatformDefinition.maximumRules) rules already; remove some") }
    return !isFull
  }
}

extension Control.SCMIResource {
  fileprivate init(_ resource: ResourceName, _ platform: borrowing SCMIPlatform) {
    self.init()
    name = resource.description
    value = platform.value(resource)
    enabled = platform.isEnabled(resource)
    if resource.kind == .clock { parent = platform.clockParent(resource.name) }
    if resource.kind == .resetDomain { resets = platform.resetCount(resource.name) }
  }
}

extension Control.SCMIVote {
  fileprivate init(_ vote: SCMIPlatform.Vote, _ name: String) {
    self.init()
    agent = name
    access = vote.access.name
    value = vote.value
    on = vote.isOn
    lowest = vote.limits?.lowerBound
    highest = vote.limits?.upperBound
  }
}
