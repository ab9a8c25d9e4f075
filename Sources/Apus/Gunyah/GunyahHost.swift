import GuestABI
import GuestMemory
import Gunyah
import Host
import KVM
internal import Logging

/// The hypervisor Gunyah of machines that find it: their queues and doorbells to each other, and the resource manager,
/// which makes further machines and lends memory between them.
///
/// One is for all machines that are to know of each other, those of a ``Fleet`` for example; a machine that is given
/// none has one of its own. All members may be used from any thread.
public final class GunyahHost: Sendable {
  let manager: ManagerThread
  /// What writes a transcript, where there is one.
  let recorder: GunyahRecorder?

  private let objects: FixedObjects
  private let machines: [String: VMID]

  /// A hypervisor of one machine, the primary one. Its thread begins with that.
  ///
  /// - Parameter transcript: the path of the file that gets each call and each message of the resource manager's as a
  ///   line of JSON, from the machine's start on; nil: none.
  public convenience init(transcript: String? = nil) {
    var configuration = GunyahConfiguration()
    configuration.transcript = transcript
    self.init(configuration, machines: [])
  }

  /// A hypervisor of several machines from the start.
  ///
  /// - Parameters:
  ///   - configuration: without mistakes, which a ``Fleet`` sees to.
  ///   - machines: the names of those that find it.
  init(_ configuration: GunyahConfiguration, machines: [String]) {
    let primary = configuration.primary ?? machines.first
    let others = machines.filter { $0 != primary }
    var numbers = Dictionary(
      uniqueKeysWithValues: zip(others, VMID.named).map { ($0, VMID($1)) }
    )
    if let primary { numbers[primary] = .primary }
    self.machines = numbers
    objects = FixedObjects(configuration, machines: numbers)
    recorder = configuration.transcript.map { GunyahRecorder(path: $0) }
    manager = ManagerThread(
      residents: Set(numbers.values),
      allowsSharedImages: configuration.allowsSharedImages,
      records: recorder != nil
    )
  }

  /// How many machines there can be from the start.
  static let machineLimit = 1 + VMID.named.count

  deinit {
    manager.end()
    recorder?.close()
  }

  /// The place of the primary machine, the only one that may make others.
  public var primary: Place { Place(host: self, vmid: .primary) }

  /// The place of the machine with this name; the primary one's where there is none.
  func place(of name: String) -> Place { Place(host: self, vmid: machines[name] ?? .primary) }

  /// Where a machine is among those of a hypervisor.
  public struct Place: Sendable {
    let host: GunyahHost
    let vmid: VMID

    func plan(of name: String) -> Plan.Gunyah { host.objects.plan(of: name, vmid) }
  }

  func ends(of guest: GunyahGuest) -> FixedObjects.Ends { objects.ends(of: guest) }

  /// Has KVM forward what Gunyah's guests call, and all else of the vendor-specific hypervisor services, so that
  /// nothing shows KVM's own. Before the machine's first vCPU runs.
  ///
  /// - Throws: ``ConfigurationError`` where KVM cannot.
  static func takeCalls(of machine: borrowing VirtualMachine) throws(ConfigurationError) {
    do throws(KVMError) {
      for first in [CallNumber.firstOfOwner32, CallNumber.firstOfOwner64] {
        try machine.filterCalls(first..<first + CallNumber.ownerCount, action: .forward)
      }
    } catch {
      throw ConfigurationError(
        .hostFailure,
        .property(.personality),
        "this host's KVM does not forward a guest's calls (\(error)); use Linux 6.4 or later"
      )
    }
  }
}

extension Report.Gunyah {
  init(_ guest: GunyahGuest, _ parcels: [MemparcelReport]) {
    vmid = guest.vmid.rawValue
    calls = guest.callCount
    aborts = guest.abortCount
    slotChanges = guest.memory.slotChanges
    self.parcels = parcels.map { parcel in
      Parcel(
        handle: parcel.handle,
        transfer: parcel.transfer,
        label: parcel.label,
        owner: parcel.owner.rawValue,
        size: parcel.size,
        borrowers: parcel.borrowers.map(\.rawValue)
      )
    }
  }
}
