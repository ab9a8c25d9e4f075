import ApusTesting
import KVM
import Testing

@Suite("KVM's own object", .requiresKVM, .ownThread)
struct SystemTests {
  @Test("a device file that is not there is reported with its path")
  func missingDevice() {
    let error = #expect(throws: KVMError.self) { _ = try System(path: "/dev/no-such-kvm") }

    guard case .noDevice(let path) = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(path == "/dev/no-such-kvm")
    #expect(error?.description.contains("/dev/no-such-kvm does not exist") == true)
  }

  @Test("a file that is no KVM is not taken for one", arguments: ["/dev/null", "/proc/self/maps", "/tmp"])
  func notKVM(path: String) {
    let error = #expect(throws: KVMError.self) { _ = try System(path: path) }

    #expect(error?.description.contains(path) == true)
    if case .call = error { Issue.record("the error does not say that the file is the matter") }
  }

  @Test("the host has every capability that a machine needs")
  func capabilities() throws {
    let system = try System()

    #expect(system.checkExtension(.maximumVCPUs) >= 8)
    #expect(system.checkExtension(.oneReg) > 0)
    #expect(system.checkExtension(.irqfd) > 0)
    #expect(system.checkExtension(.ioeventfd) > 0)
    #expect(system.checkExtension(.immediateExit) > 0)
    #expect(system.checkExtension(.armPSCI02) > 0)
    #expect(system.checkExtension(Capability(rawValue: 0xFFFF)) == 0)
  }

  @Test("a machine can have as many bits of address as the host says, and none more")
  func addressSize() throws {
    let system = try System()
    let limit = system.ipaSizeLimit

    #expect(32...52 ~= limit)
    _ = try system.createVirtualMachine(ipaSize: limit)
    let error = #expect(throws: KVMError.self) { _ = try system.createVirtualMachine(ipaSize: limit + 1) }
    #expect(error?.errno == 22)
  }

  @Test("a host has GICv2, GICv3 or both, and refuses to create the one it has not")
  func interruptControllers() throws {
    let machine = try System().createVirtualMachine(ipaSize: 40)

    let isThere = [Device.Kind.vgicV2, .vgicV3].map { machine.supports($0) }

    #expect(isThere.contains(true))
    for (kind, isThere) in zip([Device.Kind.vgicV2, .vgicV3], isThere) where !isThere {
      let error = #expect(throws: KVMError.self) { _ = try machine.createDevice(kind) }
      #expect(error?.errno == 19)
    }
  }

  @Test("a vCPU whose number is taken or too high is refused")
  func vcpuNumbers() throws {
    let system = try System()
    let machine = try system.createVirtualMachine(ipaSize: 40)
    let first = try machine.createVirtualCPU(index: 0)

    let taken = #expect(throws: KVMError.self) { _ = try machine.createVirtualCPU(index: 0) }
    let high = #expect(throws: KVMError.self) {
      _ = try machine.createVirtualCPU(index: system.checkExtension(.maximumVCPUs))
    }

    #expect(first.index == 0)
    #expect(taken?.errno == 17)
    #expect(high?.errno == 22)
  }
}
