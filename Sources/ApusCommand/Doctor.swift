import Apus
import ArgumentParser

extension ApusCommand {
  struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "doctor",
      abstract: "Tell what this host's KVM offers, and what to do about what is missing.",
      discussion: """
        Examples:
          apus doctor
          apus doctor --json

        Exit status: 0 if machines can run here, 71 if not.
        """
    )

    @Flag(help: "Print JSON.")
    var json = false

    @Option(help: ArgumentHelp("KVM's device.", visibility: .hidden))
    var kvm = "/dev/kvm"

    func run() throws {
      let survey = HostSurvey(kvmPath: kvm)
      if json {
        try Message.show(json: survey)
      } else {
        let verdict = survey.isUsable ? "Machines can run here." : "No machine can run here."
        try Message.show(survey.findings.flatMap(lines) + [verdict])
      }
      if !survey.isUsable { throw ExitCode(71) }
    }

    private func lines(_ finding: HostSurvey.Finding) -> [String] {
      let line = "\(finding.status.rawValue): \(finding.name): \(finding.detail)"
      return [line] + (finding.advice.map { ["  " + $0] } ?? [])
    }
  }
}
